"""A calling key ends after a year: who runs a node for that long hears of it in good time."""

import asyncio
from collections.abc import Callable

from .events import EventLog

DAY = 86400.0


async def tell_the_end(not_after: float | None, log: EventLog, clock: Callable[[], float]) -> None:
    """Warn once a day from a month before ``not_after`` (Unix seconds); None is a key without an end."""
    if not_after is None:
        return
    from trust.calling_key import RENEW_SECONDS, ends_on

    while True:
        await asyncio.sleep(DAY)  # what is due at the start was told then
        if clock() > not_after - RENEW_SECONDS:
            log.emit("warning", text=ends_on(not_after))
