"""How many transactions are kept: ours, and those of others in all and for each source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

from .transaction import Path, Transaction


@dataclass(frozen=True)
class TransactionLimits:
    """Counts, and the seconds that a refused party is asked to wait (Retry-After)."""

    servers: int = 8192
    servers_per_source: int = 2048
    clients: int = 4096
    retry_after: int = 5


class TransactionRoom(Generic[Path]):
    """Counts transactions, in all and by source, and knows which can be forgotten first."""

    def __init__(self, most: int, most_of_source: int) -> None:
        self._most = most
        self._most_of_source = most_of_source
        self._total = 0
        self._by_source: dict[str, int] = {}
        self._answered: dict[str, dict[Transaction[Path], None]] = {}

    def has_room(self, source: str) -> bool:
        """Tell whether the source may begin one more."""
        return self._total < self._most and self._by_source.get(source, 0) < self._most_of_source

    def enter(self, transaction: Transaction[Path]) -> None:
        """Count a new transaction."""
        self._total += 1
        self._by_source[transaction.source] = self._by_source.get(transaction.source, 0) + 1

    def answered(self, transaction: Transaction[Path]) -> None:
        """Note that a transaction only waits for retransmissions."""
        self._answered.setdefault(transaction.source, {})[transaction] = None

    def leave(self, transaction: Transaction[Path]) -> None:
        """Count a transaction no more."""
        source = transaction.source
        self._total -= 1
        self._by_source[source] -= 1
        if not self._by_source[source]:
            del self._by_source[source]
        answered = self._answered.get(source)
        if answered is not None:
            answered.pop(transaction, None)
            if not answered:
                del self._answered[source]

    def oldest_answered(self, source: str) -> Transaction[Path] | None:
        """Return what can be forgotten to make room: of the source itself, or of the largest if all is full.

        What is lost is only that a late retransmission would be taken for a new request, or find nobody.
        """
        own = self._answered.get(source)
        if own is None and self._by_source.get(source, 0) < self._most_of_source:
            own = max(self._answered.values(), key=len, default=None)
        return next(iter(own)) if own else None
