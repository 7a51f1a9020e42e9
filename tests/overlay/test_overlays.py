"""Networks on one machine: apart, and joined by a node that belongs to both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from overlay.errors import Isolated
from overlay.events import CutOff, Joined, Lonely, OverlayEvent
from overlay.identity import NodeKey
from overlay.lookups import LOOKUP_SECONDS
from overlay.overlay import Overlay
from overlay.overlays import Overlays, together
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import PUBLIC, Network
from overlay.shared_sockets import SharedSockets

from .swarm import LOOPBACK, Swarm, claim_of, eventually

FLOOD, CLINIC = Network(bytes(16)), Network(bytes(range(16)))


@asynccontextmanager
async def several(
    networks: list[Network], bootstrap: list[Endpoint]
) -> AsyncIterator[tuple[NodeKey, Overlays, list[Overlay]]]:
    """Run a node on several networks, behind one port."""
    key, shared = NodeKey.generate(), SharedSockets()
    heard: list[OverlayEvent] = []
    tells = together(len(networks), heard.append)
    each = [
        Overlay(
            key,
            listen=[LOOPBACK],
            bootstrap=bootstrap,
            network=network,
            open_socket=shared.of(network),
            on_event=tell,
        )
        for network, tell in zip(networks, tells, strict=True)
    ]
    async with Overlays(each) as overlays:
        yield key, overlays, each


async def test_two_meshes_stay_apart_though_each_knows_the_others_addresses() -> None:
    async with Swarm() as flood, Swarm() as clinic, Swarm() as public:
        meshes = {FLOOD: flood, CLINIC: clinic, PUBLIC: public}
        first = [(await swarm.start(network=network)).endpoint for network, swarm in meshes.items()]
        for network, swarm in meshes.items():
            for _ in range(2):
                await swarm.start(network=network, bootstrap=first)
        for swarm in meshes.values():
            await eventually(lambda swarm=swarm: all(node.overlay.contacts for node in swarm.nodes))
            await swarm.nodes[0].overlay.publish_claim("sip:alice@mesh", claim_of(swarm.nodes[0].key))
        for swarm in meshes.values():
            found = await swarm.nodes[-1].overlay.resolve("sip:alice@mesh")
            assert [claim.node_public_key for claim in found.claims] == [swarm.nodes[0].key.public_key]
            own = {node.endpoint for node in swarm.nodes}
            assert all(
                {contact.endpoint for contact in node.overlay._protocol.router} < own for node in swarm.nodes
            )


async def test_a_node_without_the_key_hears_nothing() -> None:
    async with Swarm() as flood, Swarm() as public:
        inside = await flood.start(network=FLOOD)
        outside = await public.start(bootstrap=[inside.endpoint])
        assert outside.overlay.contacts == inside.overlay.contacts == 0
        with pytest.raises(Isolated):
            await outside.overlay.resolve("sip:alice@mesh")


@pytest.mark.parametrize("other", [CLINIC, PUBLIC])
async def test_a_node_on_two_networks_asks_and_tells_both_from_one_port(other: Network) -> None:
    async with Swarm() as flood, Swarm() as second:
        alice, bob = await flood.start(network=FLOOD), await second.start(network=other)
        await alice.overlay.publish_claim("sip:alice@mesh", claim_of(alice.key))
        await bob.overlay.publish_claim("sip:bob@mesh", claim_of(bob.key))
        async with several([FLOOD, other], [alice.endpoint, bob.endpoint]) as (key, overlays, each):
            assert await overlays.join() == overlays.contacts == 2
            assert len({overlay.addresses for overlay in each}) == 1
            assert overlays.is_reachable
            assert overlays.seen_as in (None, each[0].addresses[0])
            for uri, node in (("sip:alice@mesh", alice), ("sip:bob@mesh", bob)):
                found = await overlays.resolve(uri, node.key.public_key)
                assert [claim.node_public_key for claim in found.claims] == [node.key.public_key]
            assert (await overlays.resolve("sip:nobody@mesh")).claims == ()
            blob = await overlays.publish_blob(b"a key")
            assert await overlays.publish_node([Endpoint("192.0.2.1", 7350)]) == 3
            assert await overlays.publish_claim("sip:carol@mesh", claim_of(key)) == 3
            for node in (alice, bob):
                assert [
                    claim.node_public_key for claim in (await node.overlay.resolve("sip:carol@mesh")).claims
                ] == [key.public_key]
                record = await node.overlay.resolve_node(key.public_key)
                assert record is not None
                assert await node.overlay.fetch_blob(blob) == b"a key"
            assert await overlays.fetch_blob(blob) == b"a key"
            assert [len((await overlays.resolve("sip:carol@mesh")).claims)] == [1]
            own = await overlays.resolve_node(key.public_key)
            assert own is not None
            assert await overlays.resolve_node(bytes(32)) is None
        with pytest.raises(Isolated):
            await bob.overlay.resolve("sip:alice@mesh")


async def test_alone_on_all_networks_is_alone() -> None:
    async with several([FLOOD, CLINIC], []) as (_, overlays, _each):
        assert await overlays.join() == 0
        with pytest.raises(Isolated):
            await overlays.resolve("sip:alice@mesh")


async def test_who_is_alone_on_one_network_does_not_keep_the_other_waiting() -> None:
    async with Swarm() as flood, Swarm() as gone:
        alice, silent = await flood.start(network=FLOOD), await gone.start(network=CLINIC)
        silent.kill()
        await alice.overlay.publish_claim("sip:alice@mesh", claim_of(alice.key))
        async with several([FLOOD, CLINIC], [alice.endpoint, silent.endpoint]) as (_, overlays, each):
            await eventually(lambda: each[0].contacts)
            async with asyncio.timeout(LOOKUP_SECONDS / 2):
                assert (await overlays.resolve("sip:alice@mesh")).claims
                assert await overlays.resolve_node(bytes(32)) is None
                assert await overlays.fetch_blob(bytes(20)) is None


def test_who_is_alone_on_one_network_only_is_not_called_alone() -> None:
    heard: list[OverlayEvent] = []
    one, other = together(2, heard.append)
    one(Joined(1))
    other(Joined(1))
    one(CutOff())
    assert heard == [Joined(1), Joined(1)]
    other(Lonely())
    assert heard[2:] == [Lonely()]
    one(Joined(3))
    other(Lonely())
    assert heard[3:] == [Joined(3)]


async def test_the_port_is_free_when_the_last_network_closes() -> None:
    async with several([FLOOD, CLINIC, PUBLIC], []) as (_, _, each):
        endpoint = each[0].addresses[0]
    async with Swarm() as swarm:
        await swarm.start(listen=[endpoint])


async def test_addresses_learnt_later_are_tried_at_once() -> None:
    async with Swarm() as flood, Swarm() as public:
        one, other = await flood.start(network=FLOOD), await public.start()
        async with several([FLOOD, CLINIC], []) as (_, overlays, each):
            assert not overlays.meet(PUBLIC, [other.endpoint])
            assert overlays.meet(FLOOD, [other.endpoint, one.endpoint])
            await eventually(lambda: each[0].contacts == 1)
            assert each[1].contacts == 0
            assert other.overlay.contacts == 0
