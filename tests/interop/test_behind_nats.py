"""A small Internet with real translators: who can be reached gets into tables, who cannot takes part all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import permutations

import pytest
import pytest_asyncio

from freecall.control.client import ControlClient
from freecall.store import FileStore
from overlay.peers import RememberedPeers
from tests.kit.internet import Internet, Router
from tests.kit.nodes import DataDirectory, Node, resolves

pytestmark = [pytest.mark.namespaces, pytest.mark.timeout(60), pytest.mark.asyncio(loop_scope="module")]

PUBLIC = ("anna", "ben", "carl", "dora", "emma", "finn")
HOMES = {"port": Router.PORT_RESTRICTED, "sym": Router.SYMMETRIC, "cone": Router.FULL_CONE}
BEHIND = tuple(HOMES)


@dataclass(frozen=True)
class World:
    """The nodes by name, and where they are."""

    internet: Internet
    nodes: dict[str, Node]

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def ever_in_the_table_of(self, name: str) -> set[str]:
        """Return the hosts of all that a node has ever had in its table."""
        remembered = RememberedPeers(FileStore(self[name].data / "peers"))
        return {endpoint.host for endpoint in remembered.load()}


async def status(node: Node) -> dict[str, object]:
    """Ask a node by its control socket."""
    return await asyncio.to_thread(ControlClient(node.data).request, "GET", "/v1/status")


async def knows(node: Node, contacts: int) -> None:
    """Wait until a node has so many contacts; only its status tells."""
    async with asyncio.timeout(10):
        while (await status(node))["contacts"] != contacts:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def start(stack: AsyncExitStack, nodes: list[Node]) -> None:
    """Start several at the same time."""
    async with asyncio.TaskGroup() as group:
        for node in nodes:
            group.create_task(stack.enter_async_context(node))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """Start those on the Internet, and when they know each other those at home, who have heard of one only."""
    async with AsyncExitStack() as stack:
        internet = stack.enter_context(Internet(*PUBLIC, *BEHIND, homes=HOMES))
        first = internet.mesh_at(PUBLIC[0])
        nodes = {}
        for name in (*PUBLIC, *BEHIND):
            folder = stack.enter_context(DataDirectory(name))
            bootstrap = () if name == PUBLIC[0] else (first,)
            namespace = internet.namespace(name)
            nodes[name] = Node(name, folder, namespace=namespace, listen="", sip="", bootstrap=bootstrap)
        await stack.enter_async_context(nodes[PUBLIC[0]])
        await start(stack, [nodes[name] for name in PUBLIC[1:]])
        await knows(nodes[PUBLIC[0]], len(PUBLIC) - 1)
        await start(stack, [nodes[name] for name in BEHIND])
        yield World(internet, nodes)


async def test_who_is_behind_a_router_says_whether_others_can_reach_it(world: World) -> None:
    for name in BEHIND:
        told = await world[name].event("reachability")
        is_open = HOMES[name] is Router.FULL_CONE
        assert told["reachable"] is is_open
        now = await status(world[name])
        assert now["reachable"] is is_open
        for seen_as in (told["seen_as"], now["seen_as"]):
            assert str(seen_as).startswith(f"{world.internet.address(name)}:")
    assert (await status(world["cone"]))["seen_as"] == world.internet.mesh_at("cone")


async def test_all_find_each_other_by_name(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        for asking, wanted in permutations(BEHIND, 2):
            group.create_task(resolves(world[asking], world[wanted], timeout=10))
        for name in BEHIND:
            group.create_task(resolves(world[name], world["finn"], timeout=10))
            group.create_task(resolves(world["ben"], world[name], timeout=10))


async def test_only_who_can_be_reached_was_ever_in_a_table(world: World) -> None:
    tables = {name: world.ever_in_the_table_of(name) for name in world.nodes}
    for name, router in HOMES.items():
        holders = {holder for holder, hosts in tables.items() if world.internet.address(name) in hosts}
        if router is Router.FULL_CONE:
            assert holders
        else:
            assert not holders


async def test_an_opened_port_is_published(world: World) -> None:
    answer = await world["ben"].lookup(world["cone"].uri)
    (claim,) = answer.json["claims"]
    assert world.internet.mesh_at("cone") in claim["endpoints"]
    answer = await world["ben"].lookup(world["port"].uri)
    (claim,) = answer.json["claims"]
    assert claim["endpoints"] == ["192.168.1.2:7350"]
