"""State on disk: each file is replaced in one step, so a crash leaves the old state or the new one, never half."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from .errors import DataDirectoryInUse, DataDirectoryUnusable


class FileStore:
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


class DataDirectory:
    """A node's folder: made private on first use, and held by one running node at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        self._lock: int | None = None

    def file(self, name: str) -> FileStore:
        """Return the store for one file of this folder."""
        return FileStore(self.path / name)

    def __enter__(self) -> Self:
        """Make the folder and take its lock.

        Raises:
            DataDirectoryInUse: another node runs on this folder.
            DataDirectoryUnusable: the folder cannot be made or written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DataDirectoryUnusable(self.path, error.strerror or str(error)) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise DataDirectoryInUse(self.path) from None
        for leftover in self.path.glob(".*.new"):
            leftover.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
