"""How the media of calls gets its UDP sockets, and what may be carried from one to another without Python."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from .protocol.quality import Reception

Address = tuple[Any, ...]
P = TypeVar("P", bound=asyncio.BaseProtocol)


class Sockets(Protocol):
    """Opens datagram sockets, as `loop.create_datagram_endpoint` does; raises `OSError`."""

    async def open(
        self, protocol: Callable[[], P], address: tuple[str, int]
    ) -> tuple[asyncio.DatagramTransport, P]:
        """Bind a socket on that IP address."""


class LoopSockets:
    """The event loop's own sockets: each packet goes through Python."""

    async def open(
        self, protocol: Callable[[], P], address: tuple[str, int]
    ) -> tuple[asyncio.DatagramTransport, P]:
        """Bind a socket on that IP address."""
        loop = asyncio.get_running_loop()
        return await loop.create_datagram_endpoint(protocol, local_addr=address)


LOOP_SOCKETS = LoopSockets()


@dataclass(frozen=True)
class Flow:
    """One direction of a section that needs no decision for each packet: RTP of one SSRC from one source.

    `crypt` and `session` are libsrtp's function and its first argument, as addresses; nobody else may use the session
    while the flow is on. `passed` is told, whenever somebody looks, of packets, bytes in the clear, packets that could
    not be sent, and the time of the last one by the loop's clock; `reception` follows their numbers if there is one.
    """

    ssrc: bytes
    source: Address
    out: asyncio.DatagramTransport
    destination: Address
    crypt: int
    session: int
    max_size: int
    passed: Callable[[int, int, int, float], None]
    reception: Reception | None = None


class CarryingSocket(asyncio.DatagramTransport, ABC):
    """A socket that can carry a flow by itself."""

    @abstractmethod
    def carry(self, flow: Flow) -> bool:
        """Begin, or go on with this flow in place of another; False if this one can never be carried.

        While packets from before still wait to be delivered, none may overtake them: then it does not begin yet, and
        whoever takes the next one asks again.
        """

    @abstractmethod
    def look(self) -> None:
        """Tell the flow, if there is one, what has passed."""

    @abstractmethod
    def halt(self) -> None:
        """End the flow, and tell it what has passed. When this returns, nothing passes any more."""
