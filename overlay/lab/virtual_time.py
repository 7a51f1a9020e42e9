"""An asyncio event loop whose clock jumps to the next timer: an hour of a mesh takes as long as it takes to compute.

Nothing here depends on how fast the machine is, so a simulation gives the same numbers each time.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
CLOCK_RESOLUTION = 1e-9


class Deadlock(RuntimeError):
    """Every task waits for something that nothing will ever do: there is no timer left."""


class _JumpingSelector(selectors.SelectSelector):
    """Waits for no file. Where a real selector would sleep, it moves the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Deadlock("nothing is scheduled, and every task waits")
        if timeout > 0:
            self.now += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time is seconds since the loop was made. Serves timers and tasks; sockets, threads and signals it does not."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)
        self._clock_resolution = CLOCK_RESOLUTION
        self.failure: BaseException | None = None

    def time(self) -> float:
        """Return the virtual time."""
        return self._jumping.now

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """End the run at the first exception of a callback: an experiment does not go on with a broken node."""
        if self.failure is None:
            self.failure = context.get("exception") or RuntimeError(context["message"])
            self.stop()


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` in virtual time and return its result. What a callback raises ends it, and is raised.

    Raises:
        Deadlock: it waits for ever.
    """
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        try:
            return runner.run(main)
        except RuntimeError:
            if loop.failure is not None:
                raise loop.failure from None
            raise
