"""What tests with real programs share: speech, and two nodes on one switch that live as long as the run."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.capture import Capture
from tests.kit.netns import Lan
from tests.kit.nodes import MESH_PORT as MESH_PORT
from tests.kit.nodes import DataDirectory, resolves, two_nodes
from tests.kit.site import Site
from tests.kit.speech import make_speech

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


@asynccontextmanager
async def two_sites(lan: Lan, voices: Mapping[str, Speech]) -> AsyncIterator[tuple[Site, Site]]:
    """Run Alice's and Bob's node, who know each other. Their loopbacks are captured from before the start."""
    async with AsyncExitStack() as stack:
        near, far = [await stack.enter_async_context(Capture("lo", lan.namespace(host))) for host in "ab"]
        alice, bob = await stack.enter_async_context(two_nodes(lan))
        await resolves(alice, bob)
        await resolves(bob, alice)
        await alice.knows(bob.uri)
        await bob.knows(alice.uri)
        yield Site(alice, near, voices["alice"]), Site(bob, far, voices["bob"])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_pair(voices: dict[str, Speech]) -> AsyncIterator[Pair]:
    """Start both nodes; Bob bootstraps from Alice. The capture of the mesh leg sees the first packet."""
    with Lan("a", "b") as lan:
        async with Capture("eth0", lan.namespace("a")) as mesh, two_sites(lan, voices) as (alice, bob):
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
