"""What a program under test has said, and waiting for what it says next."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]


class NotSeenError(AssertionError):
    """The awaited event did not come in time; the text lists what came instead."""


class Journal:
    """An ordered list of events in which each event is handed out once.

    `name_key` is the field that names an event (`event` for a node, `type` for baresip).
    """

    def __init__(self, owner: str, name_key: str) -> None:
        self.all: list[Event] = []
        self._owner = owner
        self._name_key = name_key
        self._fresh: list[Event] = []
        self._waiting: list[tuple[Callable[[Event], bool], asyncio.Future[Event]]] = []

    def append(self, event: Event) -> None:
        """Give the event to the first who waits for it, or keep it."""
        self.all.append(event)
        for entry in self._waiting:
            matches, future = entry
            if not future.done() and matches(event):
                future.set_result(event)
                return
        self._fresh.append(event)

    def forget(self) -> None:
        """Drop what nobody has asked for, so that a later wait sees only what is new."""
        self._fresh.clear()

    def has(self, name: str, **fields: object) -> bool:
        """Tell whether such an event is there and was not handed out."""
        return any(self._matcher((name,), fields)(event) for event in self._fresh)

    async def wait(self, *names: str, timeout: float = 10, **fields: object) -> Event:
        """Return the oldest fresh event with one of the names and all the fields.

        Raises `NotSeenError` after `timeout` seconds.
        """
        return await self.wait_until(self._matcher(names, fields), f"{names} {fields or ''}", timeout=timeout)

    async def wait_until(self, matches: Callable[[Event], bool], what: str, *, timeout: float = 10) -> Event:
        """Return the oldest fresh event that matches; raise `NotSeenError` after `timeout` seconds."""
        for index, event in enumerate(self._fresh):
            if matches(event):
                return self._fresh.pop(index)
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        entry = (matches, future)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            if future.done() and not future.cancelled():  # it came at that very moment
                return future.result()
            seen = "\n  ".join(str(event)[:300] for event in self.all[-30:])
            raise NotSeenError(f"{self._owner}: no {what} within {timeout} s; seen:\n  {seen}") from None
        finally:
            self._waiting.remove(entry)

    def _matcher(self, names: tuple[str, ...], fields: Mapping[str, object]) -> Callable[[Event], bool]:
        return lambda event: (
            event.get(self._name_key) in names
            and all(event.get(field) == value for field, value in fields.items())
        )
