"""What trust needs from outside."""

from typing import Protocol


class Store(Protocol):
    """One small value that survives a crash: a load gives the old value or the new one, never half."""

    def load(self) -> bytes | None:
        """Return the value, or None when nothing was saved yet."""
        ...

    def save(self, data: bytes) -> None:
        """Replace the value in one step, readable by its owner alone."""
        ...
