"""How a call ended, told to its owner once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sipgate.events import CallEnded, CallRefused, Direction, GatewayEvent
from sipgate.protocol.b2bua import Input

from .cause import Cause
from .happenings import ended_by


class Ending:
    """The end of one call, once it has come."""

    def __init__(self, call: str, direction: Direction, on_event: Callable[[GatewayEvent], None]) -> None:
        self._call = call
        self._direction: Direction = direction
        self._on_event = on_event
        self._end: CallEnded | CallRefused | None = None
        self._over = asyncio.Event()

    def decide(self, given: Input, cause: Cause, *, peer_uri: str, was_answered: bool) -> None:
        """Keep how it ended."""
        if was_answered or given in (Input.CANCEL, Input.HANG_UP):
            self._end = CallEnded(self._call, ended_by(given, self._direction), cause.text, cause.status)
        else:
            self._end = CallRefused(self._call, cause.status, cause.text, peer_uri, self._direction)

    def declare(self, cause: Cause) -> None:
        """Tell the owner, if they have not been told; a call whose end was not decided ended by this node."""
        if self._over.is_set():
            return
        if self._end is None:
            self._end = CallEnded(self._call, "node", cause.text, cause.status)
        self._over.set()
        self._on_event(self._end)

    async def wait(self) -> CallEnded | CallRefused:
        """Wait until it is declared; tell how it ended."""
        await self._over.wait()
        assert self._end is not None
        return self._end
