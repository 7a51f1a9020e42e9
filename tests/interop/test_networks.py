"""Two meshes on one switch, kept apart by a network key; a node of both knows both. Nothing else is configured."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.netns import Lan
from tests.kit.nodes import ROOT, DataDirectory, Node, command, resolves
from tests.kit.process import run

pytestmark = [pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="module")]

CLINIC, PUBLIC, BOTH = ("anna", "ben"), ("carl", "dora"), "emma"


@dataclass(frozen=True)
class Meshes:
    """The nodes by name."""

    nodes: dict[str, Node]

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]


async def bootstrap(*arguments: object) -> str:
    """Run `fc-bootstrap` and return what it printed."""
    outcome = await run(command("bootstrap", *map(str, arguments)), cwd=ROOT)
    assert outcome.code == 0, outcome.stderr
    return outcome.stdout


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def meshes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Meshes]:
    """Make a private network without any address in its list, hand the list to three nodes, and start all five."""
    clinic = tmp_path_factory.mktemp("lists") / "clinic.fclist"
    names = (*CLINIC, *PUBLIC, BOTH)
    async with AsyncExitStack() as stack:
        lan = stack.enter_context(Lan(*names))
        folders = {name: stack.enter_context(DataDirectory(name)) for name in names}
        await bootstrap("export", "--data", folders["anna"], "--network", "clinic", "--new-key", "-o", clinic)
        for name in (*CLINIC, BOTH):
            await bootstrap("import", clinic, "--data", folders[name])
        (folders[BOTH] / "config.toml").write_text('[node]\nnetworks = ["clinic", "public"]\n')
        nodes = {
            name: Node(name, folders[name], namespace=lan.namespace(name), listen="", sip="", lan=True)
            for name in names
        }
        async with asyncio.TaskGroup() as group:
            for node in nodes.values():
                group.create_task(stack.enter_async_context(node))
        yield Meshes(nodes)


async def test_each_node_says_which_networks_it_is_on(meshes: Meshes) -> None:
    told = {name: [one["name"] for one in node.ready["networks"]] for name, node in meshes.nodes.items()}
    assert told == {
        "anna": ["clinic"],
        "ben": ["clinic"],
        "carl": ["public"],
        "dora": ["public"],
        "emma": ["clinic", "public"],
    }
    labels = {one["network"] for node in meshes.nodes.values() for one in node.ready["networks"]}
    assert len(labels) == 2


async def test_those_of_one_network_find_each_other(meshes: Meshes) -> None:
    async with asyncio.TaskGroup() as group:
        for one, other in (CLINIC, PUBLIC):
            group.create_task(resolves(meshes[one], meshes[other], timeout=15))
            group.create_task(resolves(meshes[other], meshes[one], timeout=15))
        for name in (*CLINIC, *PUBLIC):
            group.create_task(resolves(meshes[name], meshes[BOTH], timeout=15))
            group.create_task(resolves(meshes[BOTH], meshes[name], timeout=15))


async def test_those_of_the_other_are_not_there(meshes: Meshes) -> None:
    for one in CLINIC:
        for other in PUBLIC:
            for asking, wanted in ((one, other), (other, one)):
                answer = await meshes[asking].lookup(meshes[wanted].uri)
                assert answer.code == 1
                assert answer.json["claims"] == []


async def test_a_list_exported_now_names_the_nodes_of_that_network_only(
    meshes: Meshes, tmp_path: Path
) -> None:
    exported = tmp_path / "now.fclist"
    told = await bootstrap("export", "--data", meshes["anna"].data, "--sign", "-o", exported)
    assert told == ""
    shown = await bootstrap("show", exported, "--data", meshes["anna"].data)
    for name in (*CLINIC, BOTH):
        assert f"{meshes[name].mesh[0]}:" in shown
    for name in PUBLIC:
        assert f"{meshes[name].mesh[0]}:" not in shown
    assert "valid, by you" in shown


async def test_a_list_imported_while_the_node_runs_is_used_at_once(tmp_path: Path) -> None:
    """Without a LAN search and without any address: the list is all that leads one to the other."""
    exported = tmp_path / "nodes.fclist"
    with DataDirectory("finn") as one, DataDirectory("gina") as other:
        async with Node("finn", one) as finn, Node("gina", other) as gina:
            await gina.event("isolated")
            await bootstrap("export", "--data", one, "-o", exported)
            told = await bootstrap("import", exported, "--data", other)
            assert "your node is trying it now" in told
            await gina.event("joined")
            await resolves(gina, finn)
