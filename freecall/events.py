"""What happens on a node, told to whoever listens: the terminal, the control API, a waiting `fc-call`.

An event is a flat JSON object: ``event`` (its name), ``at`` (Unix time in seconds) and the fields that
docs/events.md lists. Events are for the node's own user and name people in full; logs do not.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

QUEUE_LENGTH = 1000


@dataclass(frozen=True)
class Event:
    """One thing that happened: ``name``, ``at`` (Unix seconds) and its fields, all JSON values."""

    name: str
    at: float
    fields: dict[str, Any] = field(default_factory=dict)

    def json(self) -> str:
        """Return the event as one line of JSON."""
        return json.dumps({"event": self.name, "at": round(self.at, 3), **self.fields}, ensure_ascii=False)

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]


class Subscription:
    """The events since subscribing, in order. A reader that falls too far behind loses the oldest."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event] = asyncio.Queue(QUEUE_LENGTH)

    def offer(self, event: Event) -> None:
        """Hand over one event; never waits."""
        if self._queue.full():
            self._queue.get_nowait()
        self._queue.put_nowait(event)

    async def next(self) -> Event:
        """Wait for the next event."""
        return await self._queue.get()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            yield await self.next()


class EventLog:
    """Passes each event on to all who listen at that moment."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._subscriptions: set[Subscription] = set()
        self._printers: list[Callable[[Event], None]] = []

    def emit(self, name: str, /, **fields: Any) -> None:
        """Tell everybody that ``name`` happened now."""
        event = Event(name, self._clock(), fields)
        for printer in self._printers:
            printer(event)
        for subscription in self._subscriptions:
            subscription.offer(event)

    def print_with(self, printer: Callable[[Event], None]) -> None:
        """Call ``printer`` at once for each event from now on."""
        self._printers.append(printer)

    @contextmanager
    def subscribe(self) -> Iterator[Subscription]:
        """Collect the events that happen inside the ``with`` block."""
        subscription = Subscription()
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
