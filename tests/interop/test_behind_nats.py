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
from tests.kit.internet import MESH_PORT, Internet, Router
from tests.kit.journal import Event
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
    told: dict[str, Event]
    """What each of those at home said of its place, when it had found out."""

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
            (folder / "config.toml").write_text('[calls]\nanswer_with = "echo"\n')
            bootstrap = () if name == PUBLIC[0] else (first,)
            namespace = internet.namespace(name)
            nodes[name] = Node(name, folder, namespace=namespace, listen="", sip="", bootstrap=bootstrap)
        await stack.enter_async_context(nodes[PUBLIC[0]])
        await start(stack, [nodes[name] for name in PUBLIC[1:]])
        await knows(nodes[PUBLIC[0]], len(PUBLIC) - 1)
        await start(stack, [nodes[name] for name in BEHIND])
        told = {name: await nodes[name].event("reachability") for name in BEHIND}
        for name in BEHIND:
            await resolves(nodes["ben"], nodes[name], timeout=10)
        yield World(internet, nodes, told)


async def test_who_is_behind_a_router_says_whether_others_can_reach_it(world: World) -> None:
    for name in BEHIND:
        told, is_open = world.told[name], HOMES[name] is Router.FULL_CONE
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


@pytest.mark.parametrize(
    ("caller", "callee"), [("port", "finn"), ("sym", "finn"), ("cone", "finn"), ("finn", "cone")]
)
async def test_homes_call_the_internet_and_it_calls_who_has_opened_the_port(
    world: World, caller: str, callee: str
) -> None:
    answer = await world[caller].call(world[callee].uri, "--seconds", "1")
    assert answer.code == 0, answer.json
    assert answer.json["signed"] is True


async def test_who_gets_another_address_is_found_there_and_seen_there(world: World) -> None:
    now_at = f"{world.internet.renumber('finn')}:{MESH_PORT}"
    async with asyncio.timeout(20):
        while True:
            answer = await world["port"].lookup(world["finn"].uri)
            if [claim["endpoints"] for claim in answer.json.get("claims", ())] == [[now_at]]:
                break
        while (await status(world["finn"]))["seen_as"] != now_at:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    assert (await status(world["finn"]))["reachable"] is True
