"""What happens to a call beside what its legs tell: found, not found, stopped; and who ended it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from sipgate.events import By, Direction
from sipgate.ports import Peer, Refusal
from sipgate.protocol.b2bua import Input

from .cause import Cause
from .joint import Joint
from .leg import CalleeLeg


@dataclass(frozen=True)
class Callee:
    """Who will be called, through which legs, with which offer. `call_id` is that of the B legs."""

    peer: Peer
    call_id: str
    offer: bytes
    legs: tuple[CalleeLeg, ...]


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
class Gone:
    """Nothing more can come from the invitation of that leg."""

    leg: CalleeLeg


Find: TypeAlias = Callable[[Joint], Awaitable[Callee]]


def ended_by(given: Input, direction: Direction) -> By:
    """Tell which side ended the call. Our phone is the A leg of a call out, the B leg of a call in."""
    if given in (Input.CANCEL, Input.BYE_A):
        return "phone" if direction == "out" else "peer"
    if given is Input.BYE_B:
        return "peer" if direction == "out" else "phone"
    return "node"
