"""State on disk: a file is replaced in one step, so a crash leaves the old content or the new one, never half."""

import os
from pathlib import Path


class OwnFile:
    """One small file, readable by its owner alone. Satisfies the `Store` port of overlay and trust."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> bytes | None:
        """Return the content, or None when nothing was saved yet."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None

    def save(self, data: bytes) -> None:
        """Replace the content in one step (write beside, flush to disk, rename, flush the folder)."""
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError:
            beside.unlink(missing_ok=True)  # half of a state is of no use, and may be private
            raise
        self._flush_folder()

    def remove(self) -> None:
        """Take the file away, if there is one; it does not come back after a power cut."""
        self.path.unlink(missing_ok=True)
        self._flush_folder()

    def _flush_folder(self) -> None:
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
