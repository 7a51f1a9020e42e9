"""What the packages report, as the events of docs/events.md."""

import pytest

from freecall.events import Event, EventLog
from freecall.news import tell_overlay_news
from overlay.events import CutOff, Joined, Lonely, OverlayEvent, ReachabilityChanged, Republished


@pytest.mark.parametrize(
    ("event", "name", "fields"),
    [
        (Joined(3), "joined", {"contacts": 3}),
        (Lonely(), "isolated", {"reason": "alone"}),
        (CutOff(), "isolated", {"reason": "not found"}),
        (Republished(4), "published", {"uri": "sip:bob@mesh", "copies": 4}),
        (
            ReachabilityChanged(is_reachable=False, seen_as="45.0.0.1:7350"),
            "reachability",
            {"reachable": False, "seen_as": "45.0.0.1:7350"},
        ),
    ],
)
def test_each_event_of_the_overlay_is_told(event: OverlayEvent, name: str, fields: dict[str, object]) -> None:
    told: list[Event] = []
    log = EventLog(lambda: 0.0)
    log.print_with(told.append)
    tell_overlay_news(log, ["sip:bob@mesh"], event)
    assert [(one.name, one.fields) for one in told] == [(name, fields)]
