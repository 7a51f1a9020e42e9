"""What the media of one call lives by: its tasks, owned by one `run()`, how it fails, and its end."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from .errors import MediaError, MediaRefused, first_of
from .jobs import Job, Jobs

STOPPED = MediaError(500, "The node's media stopped for a reason of its own")


class Life:
    """Start `run()` at once in a supervised task.

    `release` frees what the call holds, when its tasks are over; it is called again where it was cancelled. This keeps
    nothing of the call, whose other parts keep `start`: what holds nothing in a circle is freed without a collection.
    `at_failure` hears of a failure at once.
    """

    def __init__(self) -> None:
        self.at_failure: Callable[[MediaError], None] = lambda _: None
        self._jobs = Jobs()
        self._failure: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self._is_closed = False
        self._running = asyncio.Event()
        self._ended = asyncio.Event()
        self._is_released = False

    def start(self, job: Job) -> None:
        """Begin a task of the call; a `MediaError` that it raises ends the call, not the program."""
        self._jobs.start(partial(self._contain, job))

    async def _contain(self, job: Job) -> None:
        try:
            await job()
        except* MediaError as errors:
            self._fail(first_of(errors))

    def _fail(self, error: MediaError) -> None:
        if self._failure.done() or self._is_closed:
            return
        self._failure.set_result((error.status, error.reason))
        self._jobs.stop()
        self.at_failure(error)

    def check_open(self) -> None:
        """Raise `MediaRefused` when the media has failed, or is over."""
        if self._failure.done():
            raise MediaRefused(self._failure.result()[1], status=self._failure.result()[0])
        if self._is_closed:
            raise MediaRefused("The call is over")

    async def failed(self) -> tuple[int, str]:
        """Wait until the media has failed for good; return (status, reason)."""
        return await asyncio.shield(self._failure)

    async def run(self, release: Callable[[], Awaitable[None]]) -> None:
        """Own the tasks until `aclose()`, or until the media has failed; then free what it holds."""
        if self._is_closed:
            return
        self._running.set()
        try:
            await self._jobs.run()
        finally:
            self._fail(STOPPED)
            try:
                await self._release(release)
            finally:
                self._ended.set()

    async def aclose(self, release: Callable[[], Awaitable[None]]) -> None:
        """End the tasks and free what the call holds. May be called in any state, more than once."""
        self._is_closed = True
        self._jobs.stop()
        if self._running.is_set():
            await self._ended.wait()
        await self._release(release)  # again, where `run()` was cancelled amid it

    async def _release(self, release: Callable[[], Awaitable[None]]) -> None:
        self._is_closed = True
        if not self._is_released:
            await release()
            self._is_released = True
