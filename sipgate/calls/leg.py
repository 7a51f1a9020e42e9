"""What a call sees of its legs, and what legs tell their call."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from sipgate.ports import MediaRefused, Peer, Refusal
from sipgate.protocol.refer import Refer

from .cause import Cause
from .joint import Joint, Side


@dataclass(frozen=True)
class Progress:
    """18x on a B leg."""

    leg: CalleeLeg
    status: int
    sdp: bytes | None = None
    fragment: bytes | None = None


@dataclass(frozen=True)
class Answered:
    """2xx on a B leg. The leg is not confirmed yet. `problem` says why its session cannot be used, if so."""

    leg: CalleeLeg
    sdp: bytes
    problem: str = ""

    def session(self) -> bytes:
        """Return the SDP; raise `MediaRefused` with the problem."""
        if self.problem:
            raise MediaRefused(488, self.problem)
        return self.sdp


@dataclass(frozen=True)
class Failed:
    """A B leg has ended without an answer."""

    leg: CalleeLeg
    refusal: Refusal


@dataclass(frozen=True)
class Cancelled:
    """The caller gave up."""

    cause: Cause


@dataclass(frozen=True)
class Acked:
    """The A leg is confirmed."""

    fragment: bytes | None = None


@dataclass(frozen=True)
class NotAcked:
    """The A leg never confirmed."""


@dataclass(frozen=True)
class HungUp:
    """BYE on a leg, or its dialog is gone (481)."""

    leg: Leg
    cause: Cause


@dataclass(frozen=True)
class Gone:
    """Nothing more can come from the invitation of that leg."""

    leg: CalleeLeg


LegEvent: TypeAlias = Progress | Answered | Failed | Gone | Cancelled | Acked | NotAcked | HungUp


@dataclass(frozen=True)
class Payload:
    """A body passed on as it is, with the headers that belong to it (INFO: Content-Type, Info-Package)."""

    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """The final response to a request inside a dialog."""

    status: int
    reason: str
    sdp: bytes = b""
    cause: Cause | None = None

    @property
    def is_success(self) -> bool:
        """Tell whether it is a 2xx."""
        return 200 <= self.status < 300

    @property
    def is_gone(self) -> bool:
        """Tell whether the dialog has ended with it (RFC 3261 12.2.1.2)."""
        return self.status in (408, 481)


class Junction(Protocol):
    """What a leg sees of its call."""

    @property
    def joint(self) -> Joint:
        """What turns the SDP of one side into that of the other."""
        ...

    def post(self, event: LegEvent) -> None:
        """Tell the call what has happened; never blocks."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside; it is cancelled when the call is over."""
        ...

    async def reoffer(self, leg: Leg, method: str, sdp: bytes) -> Reply:
        """Pass a re-INVITE or UPDATE to the other leg; return what to answer."""
        ...

    async def cancel_reoffer(self, leg: Leg) -> None:
        """The re-INVITE from `leg` was cancelled."""
        ...

    async def pass_on(self, leg: Leg, method: str, payload: Payload) -> Reply:
        """Pass a request that concerns only the two ends; return what to answer."""
        ...

    async def refer(self, leg: Leg, refer: Refer) -> Reply:
        """The other side of `leg` wants the party beyond to call somebody else; return what to answer."""
        ...

    async def reported(self, leg: Leg, status: int, text: str) -> None:
        """The other side of `leg` tells what became of a transfer that it was asked for."""
        ...


class Leg(Protocol):
    """One side of a call, once it is joined."""

    def __hash__(self) -> int:
        """Return the identity's hash: legs are told apart by identity."""
        ...

    @property
    def side(self) -> Side:
        """Where the leg leads: to a phone (or a service in its place), or to another node."""
        ...

    @property
    def session(self) -> bytes:
        """What the other side has said last about its media; empty when there is no such thing."""
        ...

    @property
    def local_host(self) -> str:
        """Our address as a phone sees it."""
        ...

    @property
    def remote_host(self) -> str:
        """The address of the phone or node."""
        ...

    def sit(self, junction: Junction) -> None:
        """Tell another call from now on."""
        ...

    def present(self, peer: Peer) -> None:
        """Show a phone who is at the other end."""
        ...

    async def refer(self, refer: Refer, by: str) -> Reply:
        """Ask the other side to call somebody else, in the name of `by` (a URI)."""
        ...

    async def report(self, status: int, text: str) -> None:
        """Tell the other side what has become of the transfer it asked for; final from 200 on."""
        ...

    async def bye(self, cause: Cause) -> None:
        """End the leg; returns when the other side has said so, or after a bounded time."""
        ...

    async def reoffer(self, method: str, sdp: bytes) -> Reply:
        """Change the session with re-INVITE or UPDATE; return the final response. ACKs by itself."""
        ...

    async def cancel_reoffer(self) -> None:
        """Take a pending re-INVITE back; `reoffer` then returns what becomes of it."""
        ...

    async def pass_on(self, method: str, payload: Payload) -> Reply:
        """Send a request that concerns only the two ends, such as INFO."""
        ...

    async def aclose(self) -> None:
        """Forget the dialog."""
        ...


class CallerLeg(Leg, Protocol):
    """The A leg: we are the callee in its dialog."""

    def watch(self, junction: Junction) -> None:
        """Tell the call from now on about CANCEL, ACK and BYE."""
        ...

    async def ring(self, status: int, sdp: bytes | None, fragment: bytes | None) -> None:
        """Pass an 18x on."""
        ...

    async def answer(self, sdp: bytes) -> None:
        """Answer with 200; `Acked` or `NotAcked` follows."""
        ...

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a final refusal."""
        ...


class CalleeLeg(Leg, Protocol):
    """A B leg: we are the caller in its dialog."""

    async def invite(self, offer: bytes, junction: Junction) -> None:
        """Invite; return when nothing more can come. Posts `Progress`, then `Answered` or `Failed`."""
        ...

    async def confirm(self, fragment: bytes | None) -> None:
        """ACK the answer."""
        ...

    async def cancel(self, cause: Cause) -> None:
        """Take the invitation back. An answer that crosses it is still posted."""
        ...
