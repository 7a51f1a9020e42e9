"""A few nodes on a line that loses much: with nobody else to ask, the same is asked again. In virtual time."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from overlay.errors import Isolated
from overlay.events import CutOff, Joined, Lonely
from overlay.lab.node import LabNode
from overlay.lab.virtual_time import run
from overlay.lab.world import Mesh, Name, World
from overlay.lookups import LOOKUP_SECONDS
from overlay.overlay import Overlay
from overlay.protocol.wire import Answer, AnyRequest, decode
from overlay.routing import ENOUGH

ONE_WAY_SECONDS = 0.15
BLOB = b"an OpenPGP key" * 50


def thin_line(nodes: int, loss: float, seed: int) -> World:
    """Return a world in which all are 150 ms from each other, and a share of the datagrams is lost."""

    def delay(one: str, other: str) -> float:
        del one, other
        return ONE_WAY_SECONDS

    world = World(Mesh(nodes=nodes, loss=loss), seed)
    world.internet.delay = delay  # type: ignore[method-assign]
    return world


class Deaf(asyncio.DatagramProtocol):
    """Counts what it hears, and answers nothing."""

    def __init__(self, heard: Counter[AnyRequest | Answer]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Count."""
        del addr
        self._heard[decode(data)[1]] += 1


def overlay_of(node: LabNode) -> Overlay:
    """Return a started node's overlay."""
    assert node.overlay is not None
    return node.overlay


async def announced(world: World, count: int) -> tuple[list[LabNode], list[Name], bytes]:
    """Start nodes at the same moment, each of which publishes what a person's node does; return the blob's key, too."""
    nodes = [world.start(world.add()) for _ in range(count)]
    names = [world.name(node) for node in nodes]
    keys = []
    for node, name in zip(nodes, names, strict=True):
        await node.up.wait()
        while not len(node.protocol.router):  # noqa: ASYNC110 - virtual time costs nothing
            await asyncio.sleep(0.5)
        overlay = overlay_of(node)
        keys.append(await overlay.publish_blob(BLOB))
        await overlay.publish_node([node.endpoint])
        await overlay.publish_claim(name.uri, name.claim())
    return nodes, names, keys[0]


def forget_copies(nodes: Sequence[LabNode]) -> None:
    """Leave each node with what it publishes itself, as when the others' values have expired."""
    for node in nodes:
        for held in node.protocol.store_of_records.held():
            if held.host:
                held.expires = 0


async def find_all(asker: LabNode, name: Name, blob: bytes) -> bool:
    """Tell whether a node finds what it needs to call: claim, node record, key."""
    overlay, key = overlay_of(asker), name.owner.key.public_key
    try:
        claims = (await overlay.resolve(name.uri, key)).claims
    except Isolated:
        return False
    record = await overlay.resolve_node(key)
    return (
        [found.claim for found in claims] == [name.claim()]
        and record is not None
        and await overlay.fetch_blob(blob) == BLOB
    )


@pytest.mark.parametrize(("nodes", "loss"), [(2, 0.05), (2, 0.15), (3, 0.05), (3, 0.15)])
def test_all_find_each_other_right_after_the_start_and_when_copies_have_expired(
    nodes: int, loss: float
) -> None:
    async def main(seed: int) -> list[bool]:
        async with thin_line(nodes, loss, seed) as world:
            members, names, blob = await announced(world, nodes)
            at_once = await find_all(members[0], names[-1], blob)
            forget_copies(members)
            return [at_once, await find_all(members[-1], names[0], blob)]

    found = [each for seed in range(50) for each in run(main(seed))]
    assert sum(found) >= (1.0 if loss == 0.05 else 0.99) * len(found)


@pytest.mark.parametrize("loss", [0.05, 0.15])
def test_an_hour_of_loss_makes_no_node_say_that_it_is_alone_or_cut_off(loss: float) -> None:
    async def main() -> None:
        async with thin_line(2, loss, seed=1) as world:
            nodes, _, _ = await announced(world, 2)
            for node in nodes:
                node.events.clear()
            await asyncio.sleep(3600)
            assert [node.events for node in nodes] == [[], []]

    run(main())


def test_when_the_line_breaks_that_is_said_and_a_lookup_after_its_return_finds_the_other_one() -> None:
    async def main() -> None:
        async with thin_line(2, 0.05, seed=1) as world:
            nodes, names, blob = await announced(world, 2)
            world.internet.loss = 1.0
            await asyncio.sleep(600)
            assert all(node.events[-1] == Lonely() for node in nodes)
            assert all(CutOff() not in node.events for node in nodes)
            forget_copies(nodes)
            before = world.now
            with pytest.raises(Isolated, match="known"):
                await overlay_of(nodes[0]).resolve(names[1].uri)
            assert world.now - before == pytest.approx(LOOKUP_SECONDS)
            await asyncio.sleep(60)  # whoever is tried now is tried seldom
            world.internet.loss = 0.05
            assert await find_all(nodes[0], names[1], blob)
            await asyncio.sleep(5)
            assert nodes[0].events[-1] == Joined(1)

    run(main())


@pytest.mark.parametrize("contacts", [ENOUGH - 1, ENOUGH])
def test_who_does_not_answer_is_asked_again_by_who_knows_few_others(contacts: int) -> None:
    async def main() -> None:
        async with World(Mesh(nodes=contacts + 1), seed=1) as world:
            asker, silent, *_ = await world.join(contacts + 1)
            await asyncio.sleep(10)
            assert len(asker.protocol.router) == contacts
            heard = Counter[AnyRequest | Answer]()
            assert silent.socket is not None
            silent.socket.protocol = Deaf(heard)
            assert await asker.protocol.ping(silent.contact.endpoint) is None
            assert (max(heard.values()) > 1) is (contacts < ENOUGH)

    run(main())
