"""Fifty nodes, and what remains when many fall silent at once."""

import asyncio
import random
import time

import pytest

from overlay.errors import Isolated

from .swarm import Node, Swarm, claim_of, eventually

SIZE = 50


def uri(number: int) -> str:
    """Return the name of a node's user."""
    return f"sip:user{number}@mesh"


async def settled(swarm: Swarm, size: int) -> list[Node]:
    """Start nodes that have all published."""
    for _ in range(size):
        await swarm.start()
    for number, node in enumerate(swarm.nodes):
        await node.overlay.publish_claim(uri(number), claim_of(node.key))
    return swarm.nodes


async def test_all_are_found_when_40_percent_fall_silent() -> None:
    dice = random.Random(1)
    async with Swarm() as swarm:
        nodes = await settled(swarm, SIZE)
        dead = set(dice.sample(range(SIZE), SIZE * 40 // 100))
        for number in dead:
            nodes[number].kill()
        alive = [node for number, node in enumerate(nodes) if number not in dead]
        elapsed = []
        for number, node in enumerate(nodes):
            asker = dice.choice([other for other in alive if other is not node])
            resolution = await asker.overlay.resolve(uri(number))
            assert [found.claim for found in resolution.claims] == [claim_of(node.key)]
            elapsed.append(resolution.elapsed_ms)
        assert sorted(elapsed)[SIZE // 2] < 500


async def test_an_unknown_name_is_unknown_soon_although_many_are_silent() -> None:
    async with Swarm() as swarm:
        nodes = await settled(swarm, 20)
        for node in nodes[:8]:
            node.kill()
        resolution = await nodes[-1].overlay.resolve("sip:nobody@mesh")
        assert resolution.claims == ()
        assert resolution.elapsed_ms < 2500


async def test_dead_contacts_leave_the_table_by_being_asked() -> None:
    async with Swarm() as swarm:
        nodes = await settled(swarm, 9)
        for node in nodes[:3]:
            node.kill()
        last = nodes[-1].overlay
        async with asyncio.timeout(15):
            while last.contacts > 5:
                await last.resolve("sip:nobody@mesh")


async def test_a_node_left_alone_says_so_in_time() -> None:
    async with Swarm() as swarm:
        nodes = await settled(swarm, 10)
        last = nodes[-1]
        for node in nodes[:-1]:
            node.kill()
        started = time.monotonic()
        with pytest.raises(Isolated):
            await last.overlay.resolve(uri(100))
        assert time.monotonic() - started < 5.5
        assert (await last.overlay.resolve(uri(9))).claims
        assert await last.overlay.publish_claim(uri(9), claim_of(last.key)) == 1


async def test_two_who_join_at_the_same_moment_through_a_third_meet_soon() -> None:
    async with Swarm() as swarm:
        first = await swarm.start()
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(swarm.start(bootstrap=[first.endpoint]))
        await eventually(lambda: all(node.overlay.contacts == 2 for node in swarm.nodes), 8)
