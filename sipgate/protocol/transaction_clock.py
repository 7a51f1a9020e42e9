"""The running timers of all transactions, soonest first."""

from __future__ import annotations

import heapq
from typing import Any, Generic

from .timers import Timer
from .transaction import Path, Transaction

_SLACK = 256


class TransactionClock(Generic[Path]):
    """A heap of deadlines. A stopped timer stays in it until its time or until such entries prevail."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Transaction[Path], Timer]] = []
        self._count = 0
        self._running = 0

    def __len__(self) -> int:
        """The number of timers that run."""
        return self._running

    @property
    def next(self) -> float | None:
        """When the next timer is due; None when none runs."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else None

    def start(self, transaction: Transaction[Path], timer: Timer, deadline: float) -> None:
        """Start a timer, or start it anew."""
        self._running += timer not in transaction.deadlines
        transaction.deadlines[timer] = deadline
        self._count += 1
        heapq.heappush(self._heap, (deadline, self._count, transaction, timer))
        if len(self._heap) > 2 * self._running + _SLACK:
            self._heap = [entry for entry in self._heap if self._is_live(entry)]
            heapq.heapify(self._heap)

    def stop(self, transaction: Transaction[Path], timer: Timer) -> None:
        """Stop a timer if it runs."""
        if transaction.deadlines.pop(timer, None) is not None:
            self._running -= 1

    def due(self, now: float) -> tuple[Transaction[Path], Timer] | None:
        """Take the next timer whose time has come; None when there is none."""
        self._drop_stale()
        if not self._heap or self._heap[0][0] > now:
            return None
        _, _, transaction, timer = heapq.heappop(self._heap)
        self.stop(transaction, timer)
        return transaction, timer

    def _drop_stale(self) -> None:
        while self._heap and not self._is_live(self._heap[0]):
            heapq.heappop(self._heap)

    @staticmethod
    def _is_live(entry: tuple[float, int, Transaction[Any], Timer]) -> bool:
        deadline, _, transaction, timer = entry
        return transaction.deadlines.get(timer) == deadline
