"""Meshes in virtual time: joined node by node, or settled at once."""

import asyncio
import os
import subprocess
import sys

import pytest

from overlay.errors import Isolated
from overlay.lab.nat import NatKind
from overlay.lab.node import LabNode
from overlay.lab.virtual_time import run
from overlay.lab.world import Mesh, World


async def find(world: World, asker: LabNode, number: int = 0) -> bool:
    """Tell whether a node finds a name in its newest version."""
    name = world.names[number]
    overlay = await world.acting(asker)
    try:
        found = await overlay.resolve(name.uri, name.owner.key.public_key)
    except Isolated:
        return False
    return any(claim.claim == name.claim() for claim in found.claims)


def test_nodes_join_publish_and_find_each_other_in_virtual_time() -> None:
    async def live() -> None:
        async with World(Mesh(nodes=20), 1) as world:
            nodes = await world.join(20)
            name = world.name(nodes[5])
            copies = await (await world.acting(nodes[5])).publish_claim(name.uri, name.claim())
            assert copies > 8
            assert world.copies(name) >= copies - 1
            assert await find(world, nodes[19])

    run(live())


def test_a_settled_mesh_makes_only_the_nodes_that_are_asked() -> None:
    async def live() -> None:
        async with World(Mesh(nodes=5000, settled=True), 1) as world:
            world.settle()
            world.place(world.name(world.nodes[5]))
            assert await find(world, world.nodes[77])
            assert world.copies(world.names[0]) >= world.mesh.k - 1
            assert 2 < sum(node.overlay is not None for node in world.nodes) < 60

    run(live())


def test_the_killed_say_nothing_and_a_parted_mesh_has_two_halves() -> None:
    async def live() -> None:
        async with World(Mesh(nodes=12), 1) as world:
            nodes = await world.join(12)
            name = world.name(nodes[0])
            await (await world.acting(nodes[0])).publish_claim(name.uri, name.claim())
            await asyncio.sleep(5)
            world.kill(nodes[:3])
            assert len(world.alive()) == 9
            assert world.copies(name) == 9
            assert await find(world, nodes[5])
            world.part(9)
            name.version += 1
            assert not await find(world, nodes[6])

    run(live())


def test_nodes_behind_translators_find_what_others_publish() -> None:
    async def live() -> None:
        mesh = Mesh(nodes=12, nat={NatKind.PORT_RESTRICTED: 0.3, NatKind.SYMMETRIC: 0.3})
        async with World(mesh, 3) as world:
            nodes = await world.join(12)
            behind = [node for node in nodes if node.nat]
            assert behind
            name = world.name(nodes[0])
            await (await world.acting(nodes[0])).publish_claim(name.uri, name.claim())
            assert all([await find(world, node) for node in behind])

    run(live())


def test_nobody_wakes_up_because_the_experiment_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    def wall_clock() -> float:
        raise AssertionError("only virtual time counts")

    monkeypatch.setattr("overlay.overlay.seconds_since_boot", wall_clock)

    async def live() -> None:
        async with World(Mesh(nodes=3), 1) as world:
            await world.join(3)
            await asyncio.sleep(20)

    run(live())


SCRIPT = """
import asyncio, hashlib
from overlay.lab.internet import Internet
from overlay.lab.virtual_time import run
from overlay.lab.world import Mesh, World

seen = hashlib.sha256()

class Watched(Internet):
    def carry(self, sender, data, destination):
        seen.update(repr((asyncio.get_running_loop().time(), sender.address, data, destination)).encode())
        super().carry(sender, data, destination)

async def live():
    async with World(Mesh(nodes=15, loss=0.05), 7) as world:
        world.internet.__class__ = Watched
        nodes = await world.join(15)
        for node in nodes[:4]:
            await node.overlay.publish_node([node.endpoint])
        world.kill(nodes[8:11])
        nodes[12].leaving.set()
        await asyncio.sleep(300)

run(live())
print(seen.hexdigest())
"""


def test_every_datagram_is_the_same_each_time() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-P", "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": os.getcwd()},
            capture_output=True,
            check=True,
        ).stdout
        for hashes in ("0", "1")
    }
    assert len(outputs) == 1
