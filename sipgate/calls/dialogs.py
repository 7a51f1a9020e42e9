"""Which leg a request inside a dialog belongs to."""

from __future__ import annotations

from typing import Protocol

from sipgate.protocol.message import Request
from sipgate.server_transaction import ServerTransaction


class Receiver(Protocol):
    """A leg that takes the requests of its dialog."""

    async def receive(self, transaction: ServerTransaction) -> None:
        """Answer a request of the dialog."""
        ...


class Dialogs:
    """Legs by (Call-ID, our own tag). Bounded by the number of calls: only legs of calls are in it."""

    def __init__(self) -> None:
        self._legs: dict[tuple[str, str], Receiver] = {}

    def enter(self, call_id: str, tag: str, leg: Receiver) -> None:
        """Let a leg receive what is for it."""
        self._legs[call_id, tag] = leg

    def leave(self, call_id: str, tag: str) -> None:
        """Forget a leg."""
        self._legs.pop((call_id, tag), None)

    def find(self, request: Request) -> Receiver | None:
        """Return the leg that a request with a To tag is for."""
        return self._legs.get((request.call_id, request.to.tag or ""))

    def named(self, call_id: str, tag: str) -> Receiver | None:
        """Return the leg with that Call-ID and our tag."""
        return self._legs.get((call_id, tag))

    def legs(self) -> tuple[Receiver, ...]:
        """Return all."""
        return tuple(self._legs.values())

    def __len__(self) -> int:
        return len(self._legs)
