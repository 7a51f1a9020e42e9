"""The watch over this machine's addresses, with a real kernel."""

import asyncio
from contextlib import aclosing

import pytest

from freecall import address_watch
from freecall.address_watch import address_changes, open_bell
from tests.kit.netns import Lan, inside, ip


@pytest.mark.namespaces
async def test_addresses_that_come_and_go_are_told_at_once() -> None:
    with Lan("home") as lan:
        home = lan.namespace("home")
        async with (
            asyncio.timeout(10),
            aclosing(address_changes(inside(home, open_bell))) as changes,
        ):
            for change in ("add", "delete"):
                ip("-n", home, "address", change, "192.0.2.1/24", "dev", "eth0")
                await anext(changes)


async def test_without_netlink_it_is_the_clock_that_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address_watch, "POLL_SECONDS", 0.01)
    async with asyncio.timeout(3), aclosing(address_changes(None)) as changes:
        await anext(changes)
