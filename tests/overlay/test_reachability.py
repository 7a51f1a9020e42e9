"""A node finds out whether others can reach it, in virtual time: behind a firewall, after a change, with few others."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from overlay.events import Joined, Lonely, ReachabilityChanged
from overlay.lab.nat import Nat, NatKind
from overlay.lab.node import LabNode
from overlay.lab.virtual_time import run
from overlay.lab.world import Mesh, World
from overlay.overlay import Overlay
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint, prefix
from overlay.protocol.nodeid import NodeId
from overlay.protocol.reachability import FRUITLESS_ROUNDS, Realm, Standing
from overlay.reachability import (
    CHECK_CLOSED_SECONDS,
    CHECK_SECONDS,
    FIRST_CHECK_SECONDS,
    HELPERS,
    OWN_HOSTS_SECONDS,
    WRITTEN_SECONDS,
    ReachabilityCheck,
)
from tests.overlay.tap import tapped

WORLD = Realm(is_v6=False, is_global=True)
HOUR = 3600.0


def standing(node: LabNode) -> Standing:
    """Return what a node thinks of its place in the world."""
    return node.protocol.standings[WORLD]


def told(node: LabNode) -> list[bool]:
    """Return what a node's owner was told."""
    return [event.is_reachable for event in node.events if isinstance(event, ReachabilityChanged)]


def holders(world: World, node: LabNode) -> int:
    """Count those that have a node in their table."""
    return sum(node.key.node_id in other.protocol.router for other in world.alive() if other is not node)


def check_of(overlay: Overlay | None) -> ReachabilityCheck:
    """Return the driver."""
    assert overlay is not None
    return overlay._reachability


async def until(condition: Callable[[], bool], seconds: float) -> None:
    """Wait in virtual time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - virtual time costs nothing
            await asyncio.sleep(0.5)


def add(world: World, kind: NatKind, *, is_firewall: bool = False) -> LabNode:
    """Start a node behind a translator; a firewall is one that leaves the address as it is."""
    node = world.add()
    node.nat = Nat(kind, node.host)
    if not is_firewall:
        node.listens = Endpoint("10.0.0.7", 7350)
    return world.start(node)


def in_a_mesh(count: int, story: Callable[[World], Awaitable[None]]) -> None:
    """Let so many nodes join on the Internet, and then the story happen."""

    async def main() -> None:
        async with World(Mesh(nodes=count), seed=6) as world:
            await world.join(count)
            await story(world)

    run(main())


def test_a_firewall_before_a_global_address_is_found_out_when_nobody_dials_back() -> None:
    async def story(world: World) -> None:
        node = add(world, NatKind.PORT_RESTRICTED, is_firewall=True)
        await node.up.wait()
        assert standing(node) is Standing.OPEN
        assert told(node) == []
        await until(lambda: standing(node) is Standing.CLOSED, (FRUITLESS_ROUNDS + 2) * 1.2 * CHECK_SECONDS)
        assert told(node) == [False]
        before = holders(world, node)
        await until(lambda: holders(world, node) <= before // 4, HOUR)
        assert told(node) == [False]
        assert all(standing(other) is not Standing.CLOSED for other in world.nodes if other is not node)

    in_a_mesh(40, story)


def test_who_opens_a_port_is_reached_again_without_doing_anything() -> None:
    async def story(world: World) -> None:
        node = add(world, NatKind.PORT_RESTRICTED)
        await node.up.wait()
        assert told(node) == [False]
        await asyncio.sleep(0.5 * HOUR)
        assert told(node) == [False]
        assert holders(world, node) == 0
        assert node.nat is not None
        node.nat._kind = NatKind.FULL_CONE
        await until(lambda: standing(node) is Standing.PROVEN, 5 * CHECK_CLOSED_SECONDS)
        assert told(node) == [False, True]
        await until(lambda: holders(world, node) > 0, 60)

    in_a_mesh(24, story)


def test_among_a_dozen_a_proof_is_had_by_asking_first_and_holds_for_good() -> None:
    """All have soon heard from the node: later nobody could prove anything."""

    async def story(world: World) -> None:
        node = add(world, NatKind.FULL_CONE)
        started = world.now
        await until(lambda: bool(told(node)), 2)
        assert world.now - started < FIRST_CHECK_SECONDS + 1
        assert told(node) == [True]
        await asyncio.sleep(3 * HOUR)
        assert standing(node) is Standing.PROVEN
        assert holders(world, node) > 0
        assert told(node) == [True]

    in_a_mesh(12, story)


def test_a_proof_of_one_address_is_none_of_the_next() -> None:
    """A router gets a new address at night, and its port is not open any more."""

    async def story(world: World) -> None:
        node = add(world, NatKind.FULL_CONE)
        await until(lambda: standing(node) is Standing.PROVEN, 60)
        assert node.nat is not None
        assert node.socket is not None
        del world.internet._nats[node.nat.host]
        node.nat = node.socket.nat = Nat(NatKind.PORT_RESTRICTED, "45.200.0.1")
        world.internet._nats[node.nat.host] = node.nat
        await until(lambda: standing(node) is Standing.CLOSED, 300)
        assert told(node) == [True, False]
        assert str(check_of(node.overlay).seen_as).startswith("45.200.0.1:")
        node.nat._kind = NatKind.FULL_CONE
        await until(lambda: standing(node) is Standing.PROVEN, 5 * CHECK_CLOSED_SECONDS)
        assert told(node) == [True, False, True]

    in_a_mesh(40, story)


def test_who_waits_for_dial_backs_has_joined_a_second_later_all_the_same() -> None:
    async def story(world: World) -> None:
        node = add(world, NatKind.SYMMETRIC)
        started = world.now
        await node.up.wait()
        assert FIRST_CHECK_SECONDS < world.now - started < FIRST_CHECK_SECONDS + 2
        kinds = [type(event) for event in node.events if not isinstance(event, Lonely)]
        assert kinds[:2] == [ReachabilityChanged, Joined]

    in_a_mesh(8, story)


def test_who_keeps_asking_proves_nothing_since_our_answers_let_it_in() -> None:
    async def main() -> None:
        overlay, _ = tapped()
        check = check_of(overlay)
        check._observed(Endpoint("45.6.6.6", 7350), Endpoint("45.8.8.8", 7350))
        askers = [Endpoint(f"45.5.{number}.1", 7350) for number in range(5)]
        for asker in askers:
            check._write(asker)
        for _ in range(5):
            await asyncio.sleep(WRITTEN_SECONDS / 2)
            for asker in askers:
                check._requested(asker)
        assert overlay._protocol.standings[WORLD] is Standing.CLOSED
        await asyncio.sleep(WRITTEN_SECONDS)
        for asker in askers[:2]:
            check._requested(asker)
        assert overlay._protocol.standings[WORLD] is Standing.PROVEN

    run(main())


async def test_helpers_are_of_different_networks_and_none_of_our_own() -> None:
    overlay, _ = tapped()
    own = Endpoint("45.9.9.9", 7350)
    hosts = [f"45.9.9.{n}" for n in range(1, 9)] + [f"45.1.1.{n}" for n in range(1, 9)]
    for number, host in enumerate([*hosts, "45.2.2.1", "45.3.3.1", "45.4.4.1", "192.168.1.1", "2a00::1"]):
        bits = (number << 155).to_bytes(20, "big")
        overlay._protocol.router.add(Contact(NodeId(bits), Endpoint(host, 7350)))
    for _ in range(50):
        chosen = [helper.endpoint for helper in check_of(overlay)._helpers(own)]
        networks = {prefix(endpoint.host) for endpoint in chosen}
        assert len(networks) == len(chosen) == HELPERS
        assert not networks & {None, prefix(own.host)}
        assert not any(endpoint.is_v6 for endpoint in chosen)


@pytest.mark.parametrize(
    ("later", "is_forgotten"),
    [
        (["10.1.1.1", "172.17.0.1"], False),
        (["10.1.1.1"], False),
        (["10.2.2.2"], True),
        (["127.0.0.1"], True),
    ],
)
def test_who_loses_an_address_begins_anew_and_who_gains_one_does_not(
    later: list[str], is_forgotten: bool
) -> None:
    async def main() -> None:
        overlay, _ = tapped()
        check, seen = check_of(overlay), Endpoint("45.8.8.8", 7350)
        own = ["10.1.1.1"]
        check._ask_own_hosts = lambda: own
        for observer in range(3):
            check._observed(Endpoint(f"45.{observer}.0.1", 7350), seen)
            check._requested(Endpoint(f"45.{observer}.1.1", 7350))
        assert overlay._protocol.standings[WORLD] is Standing.PROVEN
        own = later
        await asyncio.sleep(OWN_HOSTS_SECONDS)
        assert check.seen_as == (None if is_forgotten else seen)
        wanted = Standing.UNKNOWN if is_forgotten else Standing.PROVEN
        assert overlay._protocol.standings[WORLD] is wanted
        check._observed(Endpoint("45.0.0.1", 7350), seen)
        assert check.is_reachable is not is_forgotten

    run(main())
