"""Ten thousand random and mutated messages at each port: nothing breaks, nothing grows, it still answers."""

import random
import ssl
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kit.nodes import DataDirectory, Node, fc_lookup
from tests.kit.noise import SIP_SEEDS, Tap, flood_tcp, flood_udp, noise
from tests.kit.sip_probe import answers_options

MESSAGES = 10_000
WARM_UP = 1_000
GROWTH = 20 << 20
Flood = Callable[[tuple[str, int], Iterator[bytes]], Coroutine[Any, Any, int]]


async def recorded_dht(node: Node, data: Path) -> list[bytes]:
    """Return real datagrams of a lookup, seen on their way between a client and the node."""
    tap = Tap(node.mesh)
    await tap.open()
    try:
        host, port = tap.address
        await fc_lookup(node.uri, data=data, bootstrap=[f"{host}:{port}"])
    finally:
        tap.close()
    assert tap.seen
    return tap.seen


def client_hello() -> bytes:
    """Return the beginning of a real TLS connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    return out.read()


@pytest.mark.timeout(180)
async def test_a_node_survives_whatever_arrives() -> None:
    rng = random.Random(7)
    with DataDirectory("alice") as data, DataDirectory("client") as elsewhere:
        async with Node("alice", data) as node:
            dht = await recorded_dht(node, elsewhere)
            ports: tuple[tuple[str, Flood, tuple[str, int], tuple[bytes, ...]], ...] = (
                ("mesh, UDP", flood_udp, node.mesh, tuple(dht)),
                ("phones, UDP", flood_udp, node.phones, SIP_SEEDS),
                ("phones, TCP", flood_tcp, node.phones, SIP_SEEDS),
                ("mesh, TCP", flood_tcp, node.mesh, (client_hello(),)),
            )
            for _, flood, address, seeds in ports:
                await flood(address, noise(rng, seeds, WARM_UP))
            before = node.program.rss_bytes()
            for name, flood, address, seeds in ports:
                assert await flood(address, noise(rng, seeds, MESSAGES)) == MESSAGES
                assert await answers_options(node.phones), f"deaf to phones after {name}"
                assert (await node.lookup(node.uri)).code == 0, f"deaf to the mesh after {name}"
                node.assert_no_complaint()
            assert (await fc_lookup(node.uri, data=elsewhere, bootstrap=[node.mesh_text])).code == 0
            growth = node.program.rss_bytes() - before
            print(f"grew by {growth / 1e6:.1f} MB")
            assert growth < GROWTH
