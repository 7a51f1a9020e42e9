"""Notices that the machine was asleep: a closed lid stops the event loop's clock, but not the world."""

import asyncio
import time
from collections.abc import Awaitable, Callable

CHECK_SECONDS = 5.0
SLEPT_SECONDS = 10.0


def seconds_since_boot() -> float:
    """Return a clock that goes on while the machine sleeps, where there is one; no wall clock, which may be wrong."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


async def watch(clock: Callable[[], float], on_wake: Callable[[float], Awaitable[None]]) -> None:
    """Call ``on_wake`` with the seconds slept each time that ``clock`` went on without the loop's; for ever."""
    loop = asyncio.get_running_loop()
    ahead = clock() - loop.time()
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        slept = clock() - loop.time() - ahead
        if slept >= SLEPT_SECONDS:
            ahead += slept
            await on_wake(slept)
