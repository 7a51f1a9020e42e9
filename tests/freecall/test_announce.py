"""Where a node says that it can be reached."""

import asyncio
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


async def test_a_change_is_told_at_once_and_what_is_no_address_never() -> None:
    told: list[tuple[Endpoint, ...]] = []

    async def publish_node(endpoints: tuple[Endpoint, ...]) -> None:
        told.append(endpoints)

    overlay = cast("Any", SimpleNamespace(seen_as=None, is_reachable=True, publish_node=publish_node))
    listening = [OWN]
    announcer = Announcer(cast("Any", None), overlay, listening, EventLog(lambda: 0.0))
    async with asyncio.TaskGroup() as group:
        for now in (OWN, OWN, Endpoint("127.0.0.1", 7350), OUTSIDE, OWN):
            listening[:] = [now]
            announcer._tell_again(group)
            await asyncio.sleep(0)
    assert told == [(OWN,), (OUTSIDE,), (OWN,)]
