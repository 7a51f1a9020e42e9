"""A list 30 days old, four fifths of whose nodes are gone, still leads into the mesh at once."""

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from freecall.bootstrap_lists import BootstrapLists
from freecall.meshes import choose_meshes, open_directory
from freecall.store import DataDirectory
from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.protocol.bootstrap_list import BootstrapList, Entry, SignedList
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import PUBLIC, Network
from tests.overlay.swarm import LOOPBACK, Swarm, claim_of

MADE, DAY = 1_780_000_000, 86_400
SIZE, ALIVE = 50, 10
WITHIN_SECONDS = 10.0


@contextmanager
def dead(count: int) -> Iterator[list[Endpoint]]:
    """Yield addresses that nobody answers at: at every second one nobody listens, the others swallow what comes."""
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(count)
        ]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        endpoints = [Endpoint("127.0.0.1", one.getsockname()[1]) for one in sockets]
        for one in sockets[::2]:
            one.close()
        yield endpoints


@pytest.mark.parametrize("network", [PUBLIC, Network(bytes(range(16)))])
@pytest.mark.parametrize("seed", [1, 2])
async def test_it_joins_and_finds_names_within_ten_seconds(
    network: Network, seed: int, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    data = DataDirectory(tmp_path / "data")
    async with Swarm() as swarm:
        for _ in range(ALIVE):
            await swarm.start(network=network)
        last = swarm.nodes[-1]
        await last.overlay.publish_claim("sip:alice@mesh", claim_of(last.key))
        with dead(SIZE - ALIVE) as gone:
            alive = [node.endpoint for node in swarm.nodes]
            entries = [Entry(endpoint, dice.randrange(30), dice.randrange(60)) for endpoint in alive]
            entries += [Entry(endpoint, dice.randrange(60, 101)) for endpoint in gone]
            dice.shuffle(entries)
            made = BootstrapList("flood", tuple(entries), MADE, 20, network)
            BootstrapLists(data).keep(SignedList(bytes(made)))
            now = MADE + 30 * DAY
            started = time.monotonic()
            meshes = await choose_meshes(data, (), (), (), now=now)
            assert "30 days old" in meshes.warnings[0]
            overlay = open_directory(
                NodeKey.generate(), meshes, data, listen=[LOOPBACK], bootstrap=(), now=now
            )
            async with overlay:
                async with asyncio.timeout(WITHIN_SECONDS):
                    assert await overlay.join()
                    joined = time.monotonic() - started
                    found = await overlay.resolve("sip:alice@mesh")
                print(f"joined after {joined * 1000:.0f} ms, {overlay.contacts} contacts")
                assert [claim.node_public_key for claim in found.claims] == [last.key.public_key]
                assert isinstance(overlay, Overlay)
