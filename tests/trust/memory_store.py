"""A store in memory, that can also fail."""


class MemoryStore:
    """Satisfies `trust.ports.Store`."""

    def __init__(self, value: bytes | None = None) -> None:
        self.value = value
        self.is_full = False

    def load(self) -> bytes | None:
        """Return the value."""
        return self.value

    def save(self, data: bytes) -> None:
        """Keep the value."""
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.value = data
