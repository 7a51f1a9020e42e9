"""The background tasks of an overlay: one owner, ended together."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self


class Jobs:
    """An async context manager around a task group: leaving it cancels what still runs.

    A job that raises is a fault of ours: it ends the others and is raised out of the block.
    """

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = False

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()
        try:
            if self._tasks:
                # Before the group would cancel them again, amid their cleaning up.
                await asyncio.wait(self._tasks)
        finally:
            await self._close(kind, error, trace)

    async def _close(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The group must see a cancellation, which may be its own; any other error is the caller's and stays as it is.
        is_cancelled = isinstance(error, asyncio.CancelledError)
        await self._group.__aexit__(*((kind, error, trace) if is_cancelled else (None, None, None)))

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        """Run a job in the background; before the block and after its end it is dropped."""
        if not self._open:
            job.close()
            return
        task = self._group.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def cancel(self) -> None:
        """Cancel all jobs, once, and begin no more."""
        if not self._open:
            return
        self._open = False
        for task in self._tasks:
            task.cancel()
