"""Sequence numbers for records: never used twice, not even after a crash, whatever the clock says."""

from .ports import Store

BLOCK = 1000


class Sequence:
    """Counts up over the node's whole life. A block of numbers is reserved on disk before the first of it is used."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        raw = store.load() if store else None
        self._next = int(raw) if raw is not None and raw.strip().isdigit() and len(raw) < 20 else 1
        self._reserved = self._next

    def next(self) -> int:
        """Return the next number."""
        if self._next >= self._reserved:
            self._reserved = self._next + BLOCK
            if self._store is not None:
                self._store.save(str(self._reserved).encode())
        number = self._next
        self._next += 1
        return number
