"""Where a node says that it can be reached."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from freecall.announce import Announcer
from freecall.events import EventLog
from overlay.protocol.endpoint import Endpoint

OWN, OUTSIDE = Endpoint("192.168.1.7", 7350), Endpoint("45.0.0.1", 7350)


@pytest.mark.parametrize(
    ("seen_as", "is_reachable", "told"),
    [
        (None, True, (OWN,)),
        (OUTSIDE, True, (OUTSIDE, OWN)),
        (OUTSIDE, False, (OWN,)),
        (OWN, True, (OWN,)),
        (Endpoint("127.0.0.1", 7350), True, (OWN,)),
    ],
)
def test_where_the_world_sees_us_is_told_if_it_can_reach_us_there(
    seen_as: Endpoint | None, is_reachable: bool, told: tuple[Endpoint, ...]
) -> None:
    overlay = cast("Any", SimpleNamespace(seen_as=seen_as, is_reachable=is_reachable))
    announcer = Announcer(cast("Any", None), overlay, [OWN], EventLog(lambda: 0.0))
    assert announcer.addresses() == told
