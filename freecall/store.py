"""A node's state on disk; each file of it is replaced in one step."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from trust.own_file import OwnFile

from .errors import DataDirectoryInUse, DataDirectoryUnusable


class FileStore(OwnFile):
    """A file of a node's folder."""


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
