import json

from freecall.events import QUEUE_LENGTH, Event, EventLog


async def test_a_subscriber_hears_what_happens_while_it_listens() -> None:
    log = EventLog(lambda: 12.5)
    log.emit("before")
    with log.subscribe() as events:
        log.emit("published", uri="sip:bob@mesh", copies=3)
        event = await events.next()
    log.emit("after")
    assert json.loads(event.json()) == {"event": "published", "at": 12.5, "uri": "sip:bob@mesh", "copies": 3}


async def test_a_slow_reader_loses_the_oldest_and_nothing_grows() -> None:
    log = EventLog(lambda: 0.0)
    with log.subscribe() as events:
        for number in range(QUEUE_LENGTH + 5):
            log.emit("n", number=number)
        assert (await events.next())["number"] == 5


def test_printers_are_called_at_once() -> None:
    seen: list[Event] = []
    log = EventLog(lambda: 0.0)
    log.print_with(seen.append)
    log.emit("stopped")
    assert [event.name for event in seen] == ["stopped"]
