"""What the overlay needs from outside, in its own words."""

from typing import Protocol


class Store(Protocol):
    """One small piece of state that survives a restart. ``save`` replaces it in one step."""

    def load(self) -> bytes | None:
        """Return what was saved last, None when nothing was."""
        ...

    def save(self, data: bytes) -> None:
        """Keep ``data``."""
        ...
