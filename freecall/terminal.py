"""Prints the node's events beside its work: whoever reads slowly, or has stopped a terminal, holds up no call."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Self, TextIO

from .events import QUEUE_LENGTH, Event

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.02
FAREWELL_SECONDS = 2.0


class Terminal:
    """Calls `printer` with each event in a thread of its own, then `flush`. A context manager; leaving prints the rest.

    The thread is woken a moment later, when whoever told the event has done the rest of its work, and once for all that
    was told meanwhile: each time it may make the others wait. Of a reader that falls far behind the latest events are
    dropped; when it is gone, `on_gone` is called in that thread, once. What cannot be written else, because of a full
    disk perhaps, is lost, and that is said once.
    """

    def __init__(
        self, printer: Callable[[Event], None], flush: Callable[[], None], on_gone: Callable[[], object]
    ) -> None:
        self._print = printer
        self._flush = flush
        self._on_gone = on_gone
        self._told: list[Event] = []
        self._waiting: SimpleQueue[list[Event] | None] = SimpleQueue()
        self._handed = self._printed = 0  # the former is counted by whoever tells, the latter by the thread
        self._thread = Thread(target=self._run, name="terminal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hand_over()
        self._waiting.put(None)
        self._thread.join(FAREWELL_SECONDS)

    def __call__(self, event: Event) -> None:
        """Print the event soon."""
        if self._handed - self._printed + len(self._told) >= QUEUE_LENGTH:
            return
        if not self._told:
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._hand_over)
        self._told.append(event)

    def _hand_over(self) -> None:
        told, self._told = self._told, []
        self._handed += len(told)
        self._waiting.put(told)

    def _run(self) -> None:
        is_said = False
        while (events := self._waiting.get()) is not None:
            try:
                for event in events:
                    self._print(event)
                self._flush()
            except BrokenPipeError:
                self._on_gone()
                return
            except OSError as error:
                if not is_said:
                    logger.warning("events cannot be printed: %s", error.strerror)
                is_said = True
            else:
                is_said = False
            self._printed += len(events)


class LineWriter:
    """Collects lines; `flush` writes them to `output`, past its buffer: its lock would have to be free at the end."""

    def __init__(self, output: TextIO) -> None:
        self._output = output
        self._lines = b""

    def __call__(self, text: str) -> None:
        """Add a line."""
        self._lines += f"{text}\n".encode(self._output.encoding, self._output.errors or "strict")

    def flush(self) -> None:
        """Write what was collected; what cannot be written is lost."""
        rest, self._lines = self._lines, b""
        while rest:
            rest = rest[os.write(self._output.fileno(), rest) :]
