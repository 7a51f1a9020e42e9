"""One writer of a keyring at a time, among the tasks of this process and among processes."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from .errors import KeyringError

DEADLINE_SECONDS = 30.0
POLL_SECONDS = 0.02


@asynccontextmanager
async def writer_lock(path: Path, deadline_seconds: float = DEADLINE_SECONDS) -> AsyncIterator[None]:
    """Hold the lock file ``path``. The kernel gives it back when its holder dies, however it dies.

    A lock belongs to the opened file, not to the process: two tasks exclude each other as two processes do.

    Raises:
        KeyringError: somebody else holds it for longer than the deadline.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            async with asyncio.timeout(deadline_seconds):
                while not _try(descriptor):  # noqa: ASYNC110 - the kernel has no event for a free flock
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise KeyringError(
                f"Another program has held the OpenPGP keyring for {deadline_seconds:.0f} seconds ({path}). "
                "End that program, then start again."
            ) from None
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
