"""Whole nodes on real sockets."""

import asyncio
import time

import pytest

from overlay.errors import Isolated
from overlay.events import Joined, Lonely
from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.protocol.claim import claim_target, seal
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.errors import StoreCode
from overlay.protocol.record import Kind, sign_record
from overlay.protocol.wire import Stored

from .swarm import LOOPBACK, MemoryStore, Node, Swarm, claim_of, eventually

BOB, ALICE = "sip:bob@mesh", "sip:alice@mesh"


async def resolves(node: Node, uri: str, other: Node) -> bool:
    """Tell whether ``other``'s claim is what ``node`` finds under a name."""
    resolution = await node.overlay.resolve(uri)
    return [found.claim for found in resolution.claims] == [claim_of(other.key)]


async def test_both_names_resolve_within_two_seconds_of_the_start() -> None:
    async with Swarm() as swarm, asyncio.timeout(2):
        alice = await swarm.start()
        bob = await swarm.start()
        await alice.overlay.publish_claim(ALICE, claim_of(alice.key))
        await bob.overlay.publish_claim(BOB, claim_of(bob.key))
        assert await resolves(alice, BOB, bob)
        assert await resolves(bob, ALICE, alice)


async def test_what_is_found_says_who_signed_it_and_how_many_hold_it() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        bob = await swarm.start()
        assert await alice.overlay.publish_claim(ALICE, claim_of(alice.key)) == 2
        resolution = await bob.overlay.resolve(ALICE)
        (found,) = resolution.claims
        assert (found.node_public_key, found.copies) == (alice.key.public_key, 2)
        assert resolution.asked == 1
        assert 0 < resolution.elapsed_ms < 2000


async def test_a_lone_node_finds_its_own_records_and_nobody_elses() -> None:
    async with Swarm() as swarm:
        node = await swarm.start()
        assert await node.overlay.publish_claim(ALICE, claim_of(node.key)) == 1
        assert await node.overlay.publish_node([Endpoint("127.0.0.1", 5)]) == 1
        key = await node.overlay.publish_blob(b"public key")
        assert await resolves(node, ALICE, node)
        record = await node.overlay.resolve_node(node.key.public_key)
        assert record is not None
        assert record.endpoints == (Endpoint("127.0.0.1", 5),)
        assert await node.overlay.fetch_blob(key) == b"public key"
        with pytest.raises(Isolated, match="known"):
            await node.overlay.resolve(BOB)
        assert await node.overlay.resolve_node(bytes(32)) is None
        assert await node.overlay.fetch_blob(bytes(20)) is None


async def test_a_lone_node_with_nobody_to_look_for_joins_at_once() -> None:
    async with Swarm() as swarm, asyncio.timeout(0.5):
        node = await swarm.start()
        assert await node.overlay.join() == 0


async def test_an_unknown_name_is_told_from_being_alone() -> None:
    async with Swarm() as swarm:
        await swarm.start()
        node = await swarm.start()
        assert (await node.overlay.resolve(BOB)).claims == ()


async def test_node_records_and_blobs_come_from_others() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        bob = await swarm.start()
        where = [Endpoint("192.0.2.1", 7350), Endpoint("2001:db8::1", 7350)]
        await alice.overlay.publish_node(where)
        record = await bob.overlay.resolve_node(alice.key.public_key)
        assert record is not None
        assert record.endpoints == tuple(where)
        await alice.overlay.publish_node(where[1:])
        record = await bob.overlay.resolve_node(alice.key.public_key)
        assert record is not None
        assert record.endpoints == tuple(where[1:])
        key = await alice.overlay.publish_blob(bytes(1000))
        assert await bob.overlay.fetch_blob(key) == bytes(1000)


@pytest.mark.parametrize("size", [0, 1001])
async def test_a_blob_has_up_to_1000_bytes(size: int) -> None:
    async with Swarm() as swarm:
        node = await swarm.start()
        with pytest.raises(ValueError, match="1000"):
            await node.overlay.publish_blob(bytes(size))


async def test_who_joins_later_gets_what_it_should_hold() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        await alice.overlay.publish_claim(ALICE, claim_of(alice.key))
        late = await swarm.start()
        await eventually(lambda: len(late.overlay._protocol.store_of_records) == 1)


async def test_a_client_asks_but_is_in_nobodys_table_and_holds_nothing() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        await alice.overlay.publish_claim(ALICE, claim_of(alice.key))
        peers = MemoryStore()
        client = await swarm.start(client=True, peers=peers)
        assert await resolves(client, ALICE, alice)
        assert await alice.overlay.publish_claim(BOB, claim_of(alice.key)) == 1
        assert alice.overlay.contacts == 0
        assert len(client.overlay._protocol.store_of_records) == 0
        assert peers.saved == []
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(alice.overlay._protocol.ping(client.endpoint))
            await eventually(lambda: client.overlay._protocol.dropped == 1)
            asking.cancel()


async def test_who_leaves_takes_the_name_along_and_an_old_copy_does_not_bring_it_back() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        bob = await swarm.start()
        await bob.overlay.publish_claim(BOB, claim_of(bob.key))
        (old,) = alice.overlay._protocol.store_of_records.get(
            claim_target(BOB), asyncio.get_running_loop().time()
        )
        await bob.stop()
        with pytest.raises(Isolated):
            await alice.overlay.resolve(BOB)
        mallory = await swarm.start()
        assert (await mallory.overlay.resolve(BOB)).claims == ()
        contact = Contact(alice.key.node_id, alice.endpoint)
        answer = await mallory.overlay._protocol.store(contact, claim_target(BOB), Kind.CLAIM, old)
        assert isinstance(answer, Stored)
        assert answer.code is StoreCode.STALE
        assert (await mallory.overlay.resolve(BOB)).claims == ()


async def test_a_restart_publishes_with_a_higher_number() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        key, sequence = NodeKey.generate(), MemoryStore()
        for _ in range(3):
            bob = await swarm.start(key=key, sequence=sequence)
            assert await bob.overlay.publish_claim(BOB, claim_of(key)) == 2
            assert await resolves(alice, BOB, bob)
            bob.kill()
            await bob.stop()


@pytest.mark.parametrize("politely", [True, False])
async def test_a_node_that_lost_its_sequence_file_is_found_again(politely: bool) -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        key = NodeKey.generate()
        first = await swarm.start(key=key, sequence=MemoryStore(b"5000"))
        await first.overlay.publish_claim(BOB, claim_of(key, 10))
        if not politely:
            first.kill()
        await first.stop()
        second = await swarm.start(key=key)
        assert await second.overlay.publish_claim(BOB, claim_of(key)) == 2
        assert await resolves(alice, BOB, second)


async def test_a_bootstrap_node_that_starts_late_is_found() -> None:
    async with Swarm() as swarm:
        place = await swarm.start()
        await place.stop()
        early = await swarm.start(bootstrap=[place.endpoint], join=False)
        await early.overlay.publish_claim(ALICE, claim_of(early.key))
        late = await swarm.start(listen=[place.endpoint], bootstrap=[])
        await eventually(lambda: Joined(1) in early.events)
        await eventually(lambda: len(late.overlay._protocol.store_of_records) == 1)
        assert await resolves(late, ALICE, early)


async def test_the_peers_of_last_time_are_enough_to_join() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        peers = MemoryStore()
        await (await swarm.start(peers=peers)).stop()
        again = await swarm.start(peers=peers, bootstrap=[])
        assert again.overlay.contacts == 1
        assert again.key.node_id in alice.overlay._protocol.router


async def test_the_loss_of_the_last_contact_is_told_and_its_return_too() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        bob = await swarm.start()
        await bob.overlay.publish_claim(BOB, claim_of(bob.key))
        await eventually(lambda: bob.events == [Joined(1)])
        alice.kill()
        bob.overlay._protocol.drop(Contact(alice.key.node_id, alice.endpoint))
        assert bob.events == [Joined(1), Lonely()]
        back = await swarm.start(key=alice.key, listen=[alice.endpoint], bootstrap=[])
        await eventually(lambda: bob.events == [Joined(1), Lonely(), Joined(1)])
        await eventually(lambda: len(back.overlay._protocol.store_of_records) == 1)


async def test_a_node_that_moves_is_found_where_it_is() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start()
        before = await swarm.start()
        before.kill()
        after = await swarm.start(key=before.key)
        await after.overlay.publish_claim(BOB, claim_of(after.key))
        await eventually(lambda: [c.endpoint for c in alice.overlay._protocol.router] == [after.endpoint])
        assert await resolves(alice, BOB, after)


async def test_ipv6_works_the_same() -> None:
    async with Swarm() as swarm:
        alice = await swarm.start(listen=[Endpoint("::1", 0)])
        bob = await swarm.start(listen=[Endpoint("::1", 0)])
        assert await bob.overlay.publish_claim(BOB, claim_of(bob.key)) == 2
        assert await resolves(alice, BOB, bob)


async def test_a_node_on_both_families_joins_them() -> None:
    async with Swarm() as swarm:
        four = await swarm.start()
        both = await swarm.start(listen=[LOOPBACK, Endpoint("::1", 0)])
        assert len(both.overlay.addresses) == 2
        six = await swarm.start(listen=[Endpoint("::1", 0)], bootstrap=[both.overlay.addresses[1]])
        assert await four.overlay.publish_claim(ALICE, claim_of(four.key)) == 2
        assert await resolves(six, ALICE, four)


async def test_several_claims_under_one_name_all_come_back() -> None:
    async with Swarm() as swarm:
        nodes = [await swarm.start() for _ in range(7)]
        for node in nodes[1:]:
            await node.overlay.publish_claim(BOB, claim_of(node.key, 700))
        resolution = await nodes[0].overlay.resolve(BOB)
        assert {found.claim for found in resolution.claims} == {claim_of(node.key, 700) for node in nodes[1:]}


async def test_noise_under_a_name_hides_nobody() -> None:
    async with Swarm() as swarm:
        bob = await swarm.start()
        mallory = await swarm.start()
        await bob.overlay.publish_claim(BOB, claim_of(bob.key))
        contact, target = Contact(bob.key.node_id, bob.endpoint), claim_target(BOB)
        for payload in (b"noise", seal(ALICE, claim_of(mallory.key), 1)):
            key = NodeKey.generate()
            raw = sign_record(Kind.CLAIM, target, key.public_key, 1, 60, payload, key.sign).raw
            answer = await mallory.overlay._protocol.store(contact, target, Kind.CLAIM, raw)
            assert isinstance(answer, Stored)
            assert answer.code is StoreCode.STORED
        assert await resolves(mallory, BOB, bob)


async def test_a_taken_port_is_said_at_once_and_leaves_nothing_open() -> None:
    async with Swarm() as swarm:
        node = await swarm.start()
        with pytest.raises(OSError, match="use"):
            await swarm.start(listen=[Endpoint("::1", 0), node.endpoint])


@pytest.mark.parametrize("listen", [[], [LOOPBACK, LOOPBACK]])
async def test_there_is_one_socket_for_each_family(listen: list[Endpoint]) -> None:
    with pytest.raises(ValueError, match="one"):
        await Overlay(NodeKey.generate(), listen=listen).__aenter__()


async def test_a_stop_among_the_dead_takes_a_moment_only() -> None:
    async with Swarm() as swarm:
        node = await swarm.start()
        others = [await swarm.start() for _ in range(8)]
        await node.overlay.publish_claim(ALICE, claim_of(node.key))
        for other in others:
            other.kill()
        started = time.monotonic()
        await node.stop()
        assert time.monotonic() - started < 1.5


async def test_the_owner_can_be_cancelled_at_any_time() -> None:
    async with Swarm() as swarm:
        first = await swarm.start()

        async def run() -> None:
            async with Overlay(NodeKey.generate(), listen=[LOOPBACK], bootstrap=[first.endpoint]) as overlay:
                await overlay.join()
                await overlay.publish_claim(BOB, claim_of(first.key))
                await asyncio.Event().wait()

        for turns in (0, 1, 5, 50):
            async with asyncio.TaskGroup() as group:
                task = group.create_task(run())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
