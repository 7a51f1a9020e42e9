"""Nodes that know nobody find each other on a bare switch, in network namespaces."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from overlay.lan import LanDiscovery
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import PUBLIC
from tests.kit.netns import Lan
from tests.kit.process import Program

ROOT = Path(__file__).parents[2]


class LanNode:
    """`lan_node` in a namespace."""

    def __init__(self) -> None:
        self.events: dict[str, dict[str, Any]] = {}
        self.program: Program | None = None
        self._changed = asyncio.Event()

    def on_line(self, line: str) -> None:
        """Take an event."""
        event = json.loads(line)
        self.events[event["event"]] = event
        self._changed.set()

    async def until(self, event: str, seconds: float) -> dict[str, Any]:
        """Wait for an event."""
        async with asyncio.timeout(seconds):
            while event not in self.events:
                self._changed.clear()
                await self._changed.wait()
        return self.events[event]

    async def stop(self) -> float:
        """Stop it and return how long that took."""
        assert self.program is not None
        assert await self.program.stop() == 0, self.program.stderr
        assert self.events["stopped"]["tasks"] == 0
        assert not self.program.stderr
        return float(self.events["stopped"]["at"] - self.events["stopping"]["at"])


@asynccontextmanager
async def lan_node(lan: Lan, host: str, own: str, wanted: str, *options: str) -> AsyncIterator[LanNode]:
    """Run a node on a host."""
    node = LanNode()
    argv = [sys.executable, "-X", "dev", "-m", "tests.overlay.lan_node", own, wanted, *options]
    node.program = await Program.start(argv, namespace=lan.namespace(host), cwd=ROOT, on_line=node.on_line)
    try:
        yield node
    finally:
        await node.program.kill()


@pytest.mark.namespaces
@pytest.mark.parametrize("options", [(), ("--uvloop",)])
async def test_both_names_resolve_within_two_seconds_and_both_stop_soon(options: tuple[str, ...]) -> None:
    with Lan("a", "b") as lan:
        async with (
            lan_node(lan, "a", "sip:alice@mesh", "sip:bob@mesh", *options) as alice,
            lan_node(lan, "b", "sip:bob@mesh", "sip:alice@mesh", *options) as bob,
        ):
            for node in (alice, bob):
                await node.until("found", 15)
            begun = max(node.events["start"]["at"] for node in (alice, bob))
            assert max(node.events["found"]["at"] for node in (alice, bob)) - begun < 2
            assert await alice.stop() < 1.5
            assert await bob.stop() < 2.5


@pytest.mark.namespaces
async def test_a_lonely_node_publishes_after_three_seconds_and_is_found_by_who_comes_later() -> None:
    with Lan("a", "b") as lan:
        async with lan_node(lan, "a", "sip:alice@mesh", "sip:bob@mesh") as alice:
            joined = await alice.until("joined", 10)
            assert joined["contacts"] == 0
            assert joined["at"] - alice.events["start"]["at"] < 3.5
            async with lan_node(lan, "b", "sip:bob@mesh", "sip:alice@mesh") as bob:
                found = await bob.until("found", 10)
                assert found["at"] - bob.events["start"]["at"] < 2
                await alice.until("found", 5)


@pytest.mark.namespaces
async def test_a_cable_that_is_plugged_in_late_is_noticed() -> None:
    with Lan("a", "b") as lan:
        lan.cut("b")
        async with (
            lan_node(lan, "a", "sip:alice@mesh", "sip:bob@mesh") as alice,
            lan_node(lan, "b", "sip:bob@mesh", "sip:alice@mesh") as bob,
        ):
            await bob.until("joined", 10)
            lan.heal("b")
            await bob.until("found", 30)
            await alice.until("found", 5)


async def test_a_machine_with_loopback_only_sends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overlay.lan.ADDRESS_CHECK_SECONDS", 0.01)
    looked = asyncio.Event()

    def own() -> list[Endpoint]:
        looked.set()
        return [Endpoint("127.0.0.1", 7350)]

    async def nothing(_self: LanDiscovery, _own: list[Endpoint]) -> None:
        raise AssertionError("it was announced")

    monkeypatch.setattr(LanDiscovery, "_serve", nothing)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(LanDiscovery(bytes(20), PUBLIC, own, lambda _: None).run())
        for _ in range(3):
            await looked.wait()
            looked.clear()
        task.cancel()


async def test_a_lan_that_cannot_be_searched_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("overlay.lan.ADDRESS_CHECK_SECONDS", 0.01)
    tries = asyncio.Semaphore(0)

    async def refused(_self: LanDiscovery, _own: list[Endpoint]) -> None:
        tries.release()
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(LanDiscovery, "_serve", refused)
    async with asyncio.TaskGroup() as group:
        discovery = LanDiscovery(bytes(20), PUBLIC, lambda: [Endpoint("10.0.0.1", 7350)], lambda _: None)
        task = group.create_task(discovery.run())
        for _ in range(3):
            await tries.acquire()
        task.cancel()
    assert "not permitted" in caplog.text
