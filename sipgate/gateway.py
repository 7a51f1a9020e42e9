"""The gateway: phones on one side, other nodes on the other, calls between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .events import CallEnded, CallRefused, GatewayEvent
from .limits import Limits
from .ports import Accounts, Admission, Directory, MediaFactory, Service


class Call(Protocol):
    """One call through this node, as its owner sees it."""

    id: str

    async def wait_ended(self) -> CallEnded | CallRefused:
        """Wait until the call is over; tell how it ended."""
        ...

    async def hang_up(self, reason: str) -> None:
        """End the call from this node: BYE or CANCEL to each party."""
        ...


class Gateway:
    """The SIP side of a node. An async context manager: leaving it ends all calls and closes all sockets."""

    def __init__(
        self,
        *,
        node_key: Ed25519PrivateKey,
        accounts: Accounts,
        directory: Directory,
        admission: Admission,
        media: MediaFactory,
        services: Mapping[str, Callable[[], Service]],
        on_event: Callable[[GatewayEvent], None],
        domain: str = "mesh",
        limits: Limits | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls that are not over, by id."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        raise NotImplementedError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        raise NotImplementedError

    async def listen_phones(self, host: str, port: int) -> int:
        """Listen for phones on UDP and TCP, on the same port; return it (0 asks for a free one)."""
        raise NotImplementedError

    async def listen_mesh(self, host: str, port: int) -> int:
        """Listen for other nodes, SIP over TLS; return the port."""
        raise NotImplementedError

    async def place_call(self, local_uri: str, target: str, service: Service) -> Call:
        """Call `target` on behalf of our user `local_uri`, with `service` in place of a phone."""
        raise NotImplementedError

    async def hang_up(self, call_id: str, reason: str) -> None:
        """End the call with that id; KeyError when there is none."""
        raise NotImplementedError
