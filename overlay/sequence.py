"""Sequence numbers for records: never used twice, not even after a crash, whatever the clock says."""

from .ports import Store

BLOCK = 1000
MAX_DIGITS = 19


class Sequence:
    """Counts up over the node's whole life. A block of numbers is reserved on disk before the first of it is used."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        raw = store.load() if store else None
        self._next = _number(raw) if raw is not None else 1
        self._reserved = self._next

    def next(self) -> int:
        """Return the next number.

        Raises:
            OSError: it could not be reserved, so it must not be used.
        """
        if self._next >= self._reserved:
            reserved = self._next + BLOCK
            if self._store is not None:
                self._store.save(str(reserved).encode())
            self._reserved = reserved
        number = self._next
        self._next += 1
        return number

    def skip(self, numbers: int) -> None:
        """Leave out so many: the mesh remembers higher ones than our file does, which was lost or restored."""
        self._next += numbers


def _number(raw: bytes) -> int:
    """Read the file; a damaged one starts again at 1, and the mesh tells how far we were."""
    text = raw.strip()
    return int(text) if text.isdigit() and len(text) <= MAX_DIGITS and int(text) > 0 else 1
