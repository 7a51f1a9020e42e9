import asyncio

import pytest

from freecall import calling_end
from freecall.calling_end import tell_the_end
from freecall.events import EventLog

MONTH = 30 * 86400.0


async def test_a_key_without_an_end_needs_no_watch() -> None:
    await tell_the_end(None, EventLog(lambda: 0.0), lambda: 0.0)


async def test_the_last_month_of_a_calling_key_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling_end, "DAY", 0.001)
    log = EventLog(lambda: 0.0)
    moments = iter([5.0, 9.0])
    with log.subscribe() as events:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(tell_the_end(10.0 + MONTH, log, lambda: next(moments, 11.0)))
            event = await anext(aiter(events))
            task.cancel()
    assert event.name == "warning"
    assert event.fields["text"].startswith("The calling key of this computer ends on 1970-01-31")
