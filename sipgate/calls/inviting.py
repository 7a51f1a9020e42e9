"""The B legs of one call while they are being invited: all at once, the first answer wins."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

from sipgate.ports import Refusal
from sipgate.protocol.fork import Fork

from .cause import Cause
from .leg import CalleeLeg, Gone, Junction


class Inviting:
    """Invites, counts who has not answered yet, and takes invitations back."""

    def __init__(self) -> None:
        self._fork: Fork[CalleeLeg, Refusal] = Fork()
        self._tasks: dict[CalleeLeg, asyncio.Task[None]] = {}

    def begin(
        self, legs: Iterable[CalleeLeg], offer: bytes, junction: Junction, group: asyncio.TaskGroup
    ) -> None:
        """Invite every leg; the tasks belong to `group`."""
        self._fork = Fork(set(legs))
        for leg in self._fork.pending:
            self._tasks[leg] = group.create_task(_invite(leg, offer, junction))

    def answered(self, leg: CalleeLeg) -> None:
        """Note an answer: this leg needs no CANCEL any more."""
        self._fork.pending.discard(leg)

    def fail(self, leg: CalleeLeg, refusal: Refusal) -> Refusal | None:
        """Note a refusal; return the one for the caller when no leg can answer any more."""
        return self._fork.fail(leg, refusal.status, refusal)

    def cancel(self, cause: Cause) -> Iterable[Coroutine[Any, Any, None]]:
        """Return what takes back each invitation that has no answer yet."""
        return [leg.cancel(cause) for leg in self._fork.pending]

    def forget(self, leg: CalleeLeg) -> None:
        """Nothing more can come from that invitation."""
        self._tasks.pop(leg, None)

    def stop(self, leg: CalleeLeg) -> None:
        """Listen no longer to what that leg says to its INVITE."""
        if leg in self._tasks:
            self._tasks[leg].cancel()

    def __len__(self) -> int:
        """Return how many invitations still owe us something."""
        return len(self._tasks)


async def _invite(leg: CalleeLeg, offer: bytes, junction: Junction) -> None:
    try:
        await leg.invite(offer, junction)
    finally:
        junction.post(Gone(leg))
