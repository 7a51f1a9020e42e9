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
    """Calls `printer` with each event in a thread of its own. A context manager: leaving it prints the rest.

    The thread is woken a moment later, when whoever told the event has done the rest of its work. Of a reader that
    falls far behind the latest events are dropped; when it is gone, `on_gone` is called in that thread, once. Events
    that cannot be written for another reason, such as a full disk, are lost; that is said once until it ends.
    """

    def __init__(self, printer: Callable[[Event], None], on_gone: Callable[[], object]) -> None:
        self._print = printer
        self._on_gone = on_gone
        self._told: list[Event] = []
        self._waiting: SimpleQueue[Event | None] = SimpleQueue()
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
        if not self._told:
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._hand_over)
        if self._waiting.qsize() + len(self._told) < QUEUE_LENGTH:
            self._told.append(event)

    def _hand_over(self) -> None:
        for event in self._told:
            self._waiting.put(event)
        self._told.clear()

    def _run(self) -> None:
        is_told = False
        while (event := self._waiting.get()) is not None:
            try:
                self._print(event)
            except BrokenPipeError:
                self._on_gone()
                return
            except OSError as error:
                if not is_told:
                    logger.warning("events cannot be printed: %s", error.strerror)
                is_told = True
            else:
                is_told = False


def line_writer(output: TextIO) -> Callable[[str], None]:
    """Return what writes lines to `output`, past its buffer: its lock would have to be free when the program ends."""

    def write(text: str) -> None:
        rest = f"{text}\n".encode(output.encoding, output.errors or "strict")
        while rest:
            rest = rest[os.write(output.fileno(), rest) :]

    return write
