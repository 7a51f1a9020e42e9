"""The media of one call: phone legs, mesh legs and the bridges between them, behind offers and answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .events import MediaEvent, MediaStatistics
from .ports import Endorser

Role = Literal["caller", "callee"]


@dataclass(frozen=True)
class Parties:
    """Who the confirmation binds: OpenPGP primary fingerprints (40 upper-case hex), node ids (20 bytes)."""

    caller_fingerprint: str
    callee_fingerprint: str
    caller_node_id: bytes
    callee_node_id: bytes


class CallMedia:
    """The media of one call. Start `run()` at once in a supervised task; `aclose()` ends it and frees everything.

    The methods take and return SDP bytes and raise `MediaRefused` (488 and a sentence). They are called one at a
    time. `run()` returns when the call's media has been closed, never raises for what a peer or a phone does, and
    owns every task of the call.
    """

    def __init__(
        self,
        *,
        role: Role,
        call_id: str,
        parties: Parties,
        endorser: Endorser,
        phone_host: str,
        phone_allowed: frozenset[str],
        mesh_addresses: Sequence[str],
        early: bool,
        mute_until_confirmed: bool,
        on_event: Callable[[MediaEvent], None],
        peer_name: str = "the other side",
    ) -> None:
        raise NotImplementedError

    async def run(self) -> None:
        """Own the tasks of this call until `aclose()`, or until the media has failed and been closed."""
        raise NotImplementedError

    async def offer_from_phone(self, sdp: bytes) -> bytes:
        """Turn the phone's offer or re-offer into the offer for the mesh."""
        raise NotImplementedError

    async def answer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the peer's answer into the answer for the phone."""
        raise NotImplementedError

    async def offer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the peer's offer or re-offer into the offer for our phones."""
        raise NotImplementedError

    async def answer_from_phone(self, sdp: bytes) -> bytes:
        """Turn a phone's answer into the answer for the mesh; the latest phone to answer gets the media."""
        raise NotImplementedError

    def transport_fragment(self) -> bytes | None:
        """Return our transport as application/trickle-ice-sdpfrag, or None when it must not go out that way."""
        raise NotImplementedError

    async def transport_from_mesh(self, fragment: bytes) -> None:
        """Take the peer's transport from its first 18x (we are caller) or from its ACK (we are callee)."""
        raise NotImplementedError

    async def failed(self) -> tuple[int, str]:
        """Wait until the media has failed for good; return (status, reason)."""
        raise NotImplementedError

    def statistics(self) -> MediaStatistics:
        """Return what has gone through so far."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Free tasks, sockets and keys. May be called in any state, more than once."""
        raise NotImplementedError
