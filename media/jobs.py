"""The tasks of one call: begun at any time, owned by one `run()`, ended together."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Job = Callable[[], Coroutine[Any, Any, None]]


class Jobs:
    """A task group that can be filled before it runs and stopped from outside."""

    def __init__(self) -> None:
        self._waiting: list[Job] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._group: asyncio.TaskGroup | None = None
        self._stopping = asyncio.Event()

    @property
    def is_running(self) -> bool:
        """Whether `run()` has begun and not ended."""
        return self._group is not None

    def start(self, job: Job) -> None:
        """Begin `job` now, or as soon as `run()` begins; after `stop()`, never."""
        if self._stopping.is_set():
            return
        if self._group is None:
            self._waiting.append(job)
            return
        task = self._group.create_task(job())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def run(self) -> None:
        """Own the jobs until `stop()`; a job that raises ends them all, and the group is raised."""
        try:
            async with asyncio.TaskGroup() as self._group:
                waiting, self._waiting = self._waiting, []
                for job in waiting:
                    self.start(job)
                try:
                    await self._stopping.wait()
                finally:
                    self._stopping.set()  # when cancelled, too: a job that is still ending may want to begin one
                for task in self._tasks:
                    task.cancel()
        finally:
            self._group = None

    def stop(self) -> None:
        """End all jobs, and `run()`."""
        self._waiting.clear()
        self._stopping.set()
