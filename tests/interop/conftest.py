"""What tests with real programs share: speech, and two nodes on one switch that live as long as the run."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.capture import Capture
from tests.kit.netns import Lan
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import Site
from tests.kit.speech import make_speech

MESH_PORT = 7350
Speech = Mapping[int, Path]


@dataclass(frozen=True)
class Pair:
    """Alice and Bob, each in a namespace of their own, and everything that crosses the wire between them."""

    alice: Site
    bob: Site
    mesh: Capture


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Speech]:
    """Return two different texts, spoken at the sample rates of the codecs."""
    folder = tmp_path_factory.mktemp("speech")
    return {
        name: {
            rate: make_speech(folder / f"{name}-{rate}.wav", rate=rate, shift=shift)
            for rate in (8_000, 48_000)
        }
        for name, shift in (("alice", 0), ("bob", 5))
    }


@pytest.fixture
def data() -> Iterator[Path]:
    """Return a data directory for one node."""
    with DataDirectory("node") as path:
        yield path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_pair(voices: dict[str, Speech]) -> AsyncIterator[Pair]:
    """Start both nodes; Bob bootstraps from Alice. The capture of the mesh leg sees the first packet."""
    async with AsyncExitStack() as stack:
        lan = stack.enter_context(Lan("a", "b"))
        mesh = await stack.enter_async_context(Capture("eth0", lan.namespace("a")))
        sites = []
        for name, host in (("alice", "a"), ("bob", "b")):
            loopback = await stack.enter_async_context(Capture("lo", lan.namespace(host)))
            node = Node(
                name,
                stack.enter_context(DataDirectory(name)),
                namespace=lan.namespace(host),
                listen=f"{lan.address(host)}:{MESH_PORT}",
                sip="127.0.0.1:5060",
                bootstrap=() if host == "a" else (f"{lan.address('a')}:{MESH_PORT}",),
            )
            sites.append(Site(await stack.enter_async_context(node), loopback, voices[name]))
        alice, bob = sites
        await resolves(alice.node, bob.node)
        await resolves(bob.node, alice.node)
        await alice.node.knows(bob.node.uri)
        await bob.node.knows(alice.node.uri)
        yield Pair(alice, bob, mesh)


@pytest_asyncio.fixture(loop_scope="session")
async def pair(running_pair: Pair) -> AsyncIterator[Pair]:
    """Return the shared pair with its past forgotten; afterwards no node may have complained."""
    nodes = (running_pair.alice.node, running_pair.bob.node)
    for node in nodes:
        assert node.program.returncode is None, f"node {node.name} has died"
        node.journal.forget()
    yield running_pair
    for node in nodes:
        node.assert_no_complaint()
