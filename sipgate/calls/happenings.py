"""What happens to a call beside what its legs tell: found, not found, stopped; and who ended it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from sipgate.call_rules import Forwarded, Outcome, as_it_is
from sipgate.events import By, CallPlain, CallStarted, Direction
from sipgate.ports import Peer, Refusal
from sipgate.protocol.b2bua import Input

from .cause import Cause
from .joint import Joint
from .leg import CalleeLeg, LegEvent


@dataclass(frozen=True)
class Callee:
    """Who will be called, through which legs, with which offer. `call_id` is that of the B legs.

    They ring for `seconds`, if that is less than the caller waits. `instead` turns the refusal of a call that nobody
    took, told whether it has rung, into what the caller hears. `is_anonymous`: our user does not say who they are.
    """

    peer: Peer
    call_id: str
    offer: bytes
    legs: tuple[CalleeLeg, ...]
    seconds: float | None = None
    instead: Outcome = as_it_is
    is_anonymous: bool = False

    def started(self, call: str, direction: Direction) -> Iterator[CallStarted | CallPlain]:
        """Yield what tells that the call has begun, and that it is not encrypted."""
        yield CallStarted.of(self.peer, call, direction, self.call_id, anonymous=self.is_anonymous)
        if self.peer.trust == "plain":
            yield CallPlain(call, self.peer.uri)


@dataclass(frozen=True)
class NotFound:
    """There is nobody to call."""

    refusal: Refusal


@dataclass(frozen=True)
class Stopped:
    """The call must end for a reason of this node: its media failed, it rang too long, its owner says so."""

    given: Input
    cause: Cause


@dataclass(frozen=True)
class Proven:
    """Sound has a way, in both directions."""


Event: TypeAlias = LegEvent | Callee | NotFound | Proven | Stopped


class Search(Protocol):
    """Finds whom to invite."""

    @property
    def target(self) -> str:
        """The URI that was called."""
        ...

    async def find(self, joint: Joint) -> Callee:
        """Return whom to invite and with which offer, which may take its time; raise `Refusal`."""
        ...

    def forwarded(self, forwarded: Forwarded) -> Search:
        """Return what finds the one to whom the call goes on; raise `Refusal` when that is not to be done."""
        ...


def ended_by(given: Input, direction: Direction) -> By:
    """Tell which side ended the call. Our phone is the A leg of a call out, the B leg of a call in."""
    if given in (Input.CANCEL, Input.BYE_A):
        return "phone" if direction == "out" else "peer"
    if given is Input.BYE_B:
        return "peer" if direction == "out" else "phone"
    return "node"
