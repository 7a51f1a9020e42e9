"""The life of a mesh, in virtual time: splits heal, who is cut off notices, who cannot be reached is in no table."""

import asyncio
from collections.abc import Callable

import pytest

from overlay.errors import Isolated, StoreCode, StoreRefused
from overlay.events import CutOff, Joined, ReachabilityChanged
from overlay.lab.nat import NatKind
from overlay.lab.node import LabNode
from overlay.lab.virtual_time import run
from overlay.lab.world import Mesh, Name, World
from overlay.overlay import Overlay
from overlay.protocol.claim import Claim
from overlay.protocol.reachability import Realm, Standing

WORLD = Realm(is_v6=False, is_global=True)


def overlay_of(node: LabNode) -> Overlay:
    """Return a started node's overlay."""
    assert node.overlay is not None
    return node.overlay


async def publish(world: World, node: LabNode) -> Name:
    """Publish where a node is, and a name for its user."""
    name = world.name(node)
    await overlay_of(node).publish_node([node.endpoint])
    await overlay_of(node).publish_claim(name.uri, name.claim())
    return name


async def found(node: LabNode, name: Name) -> Claim | None:
    """Resolve a name."""
    claims = (await overlay_of(node).resolve(name.uri)).claims
    return claims[0].claim if claims else None


async def virtually_eventually(condition: Callable[[], bool], seconds: float) -> None:
    """Wait in virtual time."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - virtual time costs nothing
            await asyncio.sleep(0.5)


def test_two_halves_parted_for_ten_minutes_are_one_mesh_a_minute_after_they_meet() -> None:
    async def main() -> None:
        async with World(Mesh(nodes=40), seed=1) as world:
            nodes = await world.join(40)
            names = [await publish(world, node) for node in nodes]
            await asyncio.sleep(120)
            world.part(2)
            await asyncio.sleep(600)
            one = next(n for n in nodes if n.socket is not None and n.socket.group == 0)
            other = next(n for n in nodes if n.socket is not None and n.socket.group == 1)
            moved = names[nodes.index(one)]
            moved.version += 1
            await overlay_of(one).publish_claim(moved.uri, moved.claim())
            world.internet.heal()
            await asyncio.sleep(60)
            missing = [
                (asker.number, name.uri)
                for asker in nodes[::3]
                for name in names[::3]
                if await found(asker, name) != name.claim()
            ]
            assert missing == []
            assert await found(other, moved) == moved.claim()

    run(main())


def test_who_cannot_be_found_through_others_says_so_and_fails_at_once_until_it_can() -> None:
    def refuse(*_: object) -> None:
        raise StoreRefused(StoreCode.FULL, "full")

    async def main() -> None:
        async with World(Mesh(nodes=25), seed=2) as world:
            nodes = await world.join(25)
            victim = nodes[-1]
            await publish(world, victim)
            await asyncio.sleep(150)
            assert CutOff() not in victim.events
            stores = [node.protocol.store_of_records for node in nodes[:-1]]
            with pytest.MonkeyPatch.context() as patch:
                for store in stores:
                    for held in store.held():
                        held.expires = 0
                    patch.setattr(store, "put", refuse)
                await virtually_eventually(lambda: CutOff() in victim.events, 100)
                before = world.now
                with pytest.raises(Isolated, match="no other node finds this one"):
                    await overlay_of(victim).resolve("sip:anybody@mesh")
                assert world.now == before
            await virtually_eventually(lambda: isinstance(victim.events[-1], Joined), 20)
            await overlay_of(victim).resolve("sip:anybody@mesh")

    run(main())


@pytest.mark.parametrize("kind", [NatKind.PORT_RESTRICTED, NatKind.SYMMETRIC, NatKind.ADDRESS_RESTRICTED])
def test_who_is_behind_a_nat_is_in_nobodys_table_and_finds_others_all_the_same(kind: NatKind) -> None:
    async def main() -> None:
        async with World(Mesh(nodes=40, nat={kind: 0.4}), seed=3) as world:
            nodes = await world.join(40)
            behind = [node for node in nodes if node.nat is not None]
            free = [node for node in nodes if node.nat is None]
            assert behind
            await asyncio.sleep(200)
            assert all(node.protocol.standings[WORLD] is Standing.CLOSED for node in behind)
            assert all(node.protocol.standings[WORLD] in (Standing.OPEN, Standing.PROVEN) for node in free)
            hidden = {node.key.node_id for node in behind}
            assert not any(hidden & {contact.id for contact in node.protocol.router} for node in nodes)
            names = [await publish(world, node) for node in (behind[0], free[-1])]
            for asker in (behind[-1], free[-2]):
                assert [await found(asker, name) for name in names] == [name.claim() for name in names]

    run(main())


def test_who_is_behind_a_full_cone_is_proven_by_dial_backs_and_taken_in() -> None:
    async def main() -> None:
        async with World(Mesh(nodes=40, nat={NatKind.FULL_CONE: 0.3}), seed=4) as world:
            nodes = await world.join(40)
            behind = [node for node in nodes if node.nat is not None]
            await asyncio.sleep(600)
            proven = [node for node in behind if node.protocol.standings[WORLD] is Standing.PROVEN]
            assert len(proven) >= 0.8 * len(behind)
            node = proven[0]
            assert [e.is_reachable for e in node.events if isinstance(e, ReachabilityChanged)][-1] is True
            assert node.nat is not None
            assert overlay_of(node).seen_as is not None
            assert str(overlay_of(node).seen_as).startswith(node.nat.host)
            assert any(node.key.node_id in other.protocol.router for other in nodes)

    run(main())


def test_half_of_all_and_every_bootstrap_node_go_and_the_rest_is_one_mesh() -> None:
    async def main() -> None:
        async with World(Mesh(nodes=40), seed=5) as world:
            nodes = await world.join(40)
            names = [await publish(world, node) for node in nodes]
            await asyncio.sleep(300)
            world.kill([*nodes[:3], *world.some(17 / 37, nodes[3:])])
            alive = world.alive()
            assert len(alive) == 20
            asker = alive[0]
            kept = [await found(asker, name) is not None for name in names]
            assert sum(kept) >= 0.99 * len(names)
            await asyncio.sleep(900)
            there = {node.key.node_id for node in alive}
            dead_entries = [
                contact for node in alive for contact in node.protocol.router if contact.id not in there
            ]
            assert not dead_entries
            reached = {asker.key.node_id}
            frontier = [asker]
            by_id = {node.key.node_id: node for node in alive}
            while frontier:
                known = {contact.id for contact in frontier.pop().protocol.router} - reached
                reached |= known
                frontier += [by_id[node_id] for node_id in known]
            assert reached == there

    run(main())
