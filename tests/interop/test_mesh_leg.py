"""What somebody on the wire between two nodes can see."""

from collections import Counter

import pytest

from tests.interop.conftest import MESH_PORT, Pair
from tests.kit.packets import is_plain, is_tls, kind_of_datagram, known_prefixes, streams
from tests.kit.site import connect, ended, secured

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="session")]


async def test_the_wire_shows_only_tls_dtls_stun_srtp_and_the_dht(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        traffic = (pair.alice.traffic(near), pair.bob.traffic(far))
        await connect(near, far, pair.bob.node.uri)
        await secured(pair.alice.node, pair.bob.node)
        for rtp in traffic:
            await rtp.until_heard(100)
        await near.hang_up()
        await ended(pair.alice.node, pair.bob.node)
    known = known_prefixes(payload for rtp in traffic for payload in rtp.spoken())
    assert len(known) > 100
    datagrams = [packet for packet in pair.mesh.packets if packet.protocol == "udp"]
    kinds = Counter(kind_of_datagram(packet, {MESH_PORT, 7360}) for packet in datagrams)
    assert set(kinds) == {"stun", "dtls", "srtp", "dht"}
    assert kinds["srtp"] >= 200
    assert not [packet for packet in datagrams if is_plain(packet.payload, known)]


async def test_each_tcp_connection_between_nodes_is_tls_from_its_first_byte(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        await connect(near, far, pair.bob.node.uri)
        await secured(pair.alice.node, pair.bob.node)
        await near.hang_up()
        await ended(pair.alice.node, pair.bob.node)
    seen = streams(pair.mesh.packets)
    assert seen
    for flow, data in seen.items():
        assert is_tls(data), flow
        assert b"SIP/2.0" not in data
        assert b"alice" not in data
