"""One node's protocol against the network: forged, damaged, misdirected and endless datagrams."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest

from overlay.dht import MAX_PROVING, MeshProtocol
from overlay.identity import NodeKey
from overlay.outstanding import MAX_OUTSTANDING
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.errors import StoreCode, WireError
from overlay.protocol.nodeid import NodeId
from overlay.protocol.record import Kind, blob_key
from overlay.protocol.wire import (
    Answer,
    AnyRequest,
    FindNode,
    FindValue,
    Nodes,
    Ping,
    Pong,
    Store,
    Stored,
    decode,
    encode_answer,
    encode_request,
    pong_statement,
)

from .swarm import Node, Swarm, eventually

KEY = NodeKey.from_seed(bytes(32))
TARGET = NodeId(b"t" * 20)
HERE = ("127.0.0.1", 9)


class Stranger(asyncio.DatagramProtocol):
    """A socket that answers as it likes."""

    def __init__(self) -> None:
        self.reply: Callable[[bytes, tuple[str, int]], None] = lambda _data, _address: None
        self.received: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the socket."""
        self.transport = cast("asyncio.DatagramTransport", transport)
        self.endpoint = Endpoint(*transport.get_extra_info("sockname")[:2])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Write down and answer."""
        self.received.append(data)
        self.reply(data, addr)

    def send(self, data: bytes, address: tuple[str, int]) -> None:
        """Send anything."""
        self.transport.sendto(data, address)


@asynccontextmanager
async def stranger() -> AsyncIterator[Stranger]:
    """Open a stranger's socket."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(Stranger, local_addr=("127.0.0.1", 0))
    try:
        yield protocol
    finally:
        transport.close()


SEEN = Endpoint("127.0.0.1", 1)


def pong(key: NodeKey, data: bytes, *, signer: NodeKey | None = None) -> bytes:
    """Answer a ping."""
    transaction_id, request = decode(data)
    assert isinstance(request, AnyRequest)
    signature = (signer or key).sign(pong_statement(transaction_id, request.sender))
    return encode_answer(transaction_id, Pong(SEEN, bytes(8), key.public_key, signature))


def protocol_of(node: Node) -> MeshProtocol:
    """Return a node's protocol."""
    return node.overlay._protocol


async def answered(node: Node, seconds: float, other: Stranger) -> object:
    """Ping a stranger, but do not wait for ever."""
    async with asyncio.timeout(seconds):
        return await protocol_of(node).ping(other.endpoint)


async def test_a_ping_is_answered_with_a_proof() -> None:
    async with Swarm() as swarm, stranger() as other:
        node = await swarm.start()
        other.send(
            encode_request(b"transact", Ping(NodeId(bytes(20)), client=True)),
            (node.endpoint.host, node.endpoint.port),
        )
        await eventually(lambda: other.received)
        transaction_id, answer = decode(other.received[0])
        assert transaction_id == b"transact"
        assert isinstance(answer, Pong)
        node.key.private_key.public_key().verify(answer.signature, pong_statement(b"transact", bytes(20)))


async def test_who_proves_the_id_is_taken_into_the_table() -> None:
    async with Swarm() as swarm, stranger() as other:
        node = await swarm.start()
        other.reply = lambda data, address: other.send(pong(KEY, data), address)
        assert await answered(node, 2, other) == Contact(KEY.node_id, other.endpoint)
        assert KEY.node_id in protocol_of(node).router


async def test_a_proof_by_another_key_is_none() -> None:
    async with Swarm() as swarm, stranger() as other:
        node = await swarm.start()
        other.reply = lambda data, address: other.send(pong(KEY, data, signer=NodeKey.generate()), address)
        assert await answered(node, 2, other) is None
        assert node.overlay.contacts == 0


async def test_an_answer_from_another_address_is_ignored() -> None:
    async with Swarm() as swarm, stranger() as asked, stranger() as forger:
        node = await swarm.start()
        asked.reply = lambda data, address: forger.send(pong(KEY, data), address)
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(protocol_of(node).ping(asked.endpoint))
            await eventually(lambda: protocol_of(node).dropped == 1)
            assert not asking.done()
            asking.cancel()
        assert node.overlay.contacts == 0


async def test_an_answer_of_another_kind_is_ignored() -> None:
    async with Swarm() as swarm, stranger() as other:
        node = await swarm.start()
        other.reply = lambda data, address: other.send(
            encode_answer(decode(data)[0], Nodes(SEEN, bytes(8), ())), address
        )
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(protocol_of(node).ping(other.endpoint))
            await eventually(lambda: protocol_of(node).dropped == 1)
            asking.cancel()


async def test_who_answers_for_another_id_counts_for_nothing() -> None:
    async with Swarm() as swarm, stranger() as liar:
        node = await swarm.start()

        def reply(data: bytes, address: tuple[str, int]) -> None:
            transaction_id, request = decode(data)
            if isinstance(request, Ping):
                liar.send(pong(KEY, data), address)
            else:
                liar.send(encode_answer(transaction_id, Nodes(SEEN, bytes(8), ())), address)

        liar.reply = reply
        claimed = Contact(NodeId(b"c" * 20), liar.endpoint)
        assert await protocol_of(node).find_node(claimed, TARGET) is None
        assert await protocol_of(node).find_node(Contact(KEY.node_id, liar.endpoint), TARGET) == Nodes(
            SEEN, bytes(8), ()
        )


async def test_a_contact_that_misses_twice_leaves_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overlay.outstanding.HARD", 0.05)
    async with Swarm() as swarm:
        alice = await swarm.start()
        bob = await swarm.start()
        contact = Contact(bob.key.node_id, bob.endpoint)
        await eventually(lambda: alice.overlay.contacts == 1)
        bob.kill()
        assert await protocol_of(alice).find_node(contact, TARGET) is None
        assert alice.overlay.contacts == 1
        assert await protocol_of(alice).find_node(contact, TARGET) is None
        assert alice.overlay.contacts == 0


async def test_who_takes_the_place_of_a_lost_contact_is_checked_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("overlay.outstanding.HARD", 0.05)
    async with Swarm() as swarm, stranger() as silent:
        protocol = protocol_of(await swarm.start(k=1))
        half = 0x80 if protocol.key.node_id[0] < 0x80 else 0
        far = [
            Contact(NodeId(bytes([half | 0x7C, number]) + bytes(18)), silent.endpoint) for number in range(9)
        ]
        waiting = [contact for contact in far if not protocol.router.add(contact)]
        assert waiting
        for contact in protocol.router:
            protocol.last_seen[contact.id] = 1.0
        lost = next(iter(protocol.router))
        protocol.drop(lost)
        promoted = next(iter(protocol.last_seen))
        assert promoted in {contact.id for contact in waiting}
        await eventually(lambda: promoted not in protocol.router)


async def test_requests_without_end_end_in_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("overlay.outstanding.HARD", 0.2)
    async with Swarm() as swarm, stranger() as silent:
        node = await swarm.start()
        protocol = protocol_of(node)
        async with asyncio.TaskGroup() as group:
            for _ in range(MAX_OUTSTANDING + 100):
                group.create_task(
                    protocol.request(silent.endpoint, Ping(node.key.node_id, client=True), Pong)
                )
            await asyncio.sleep(0)
            assert len(protocol._outstanding) == MAX_OUTSTANDING
        assert len(protocol._outstanding) == 0


async def test_an_address_that_cannot_be_reached_is_no_fault_of_ours() -> None:
    async with Swarm() as swarm:
        protocol = protocol_of(await swarm.start())
        request = Ping(KEY.node_id, client=False)
        assert await protocol.request(Endpoint("::1", 9), request, Pong) is None  # no IPv6 socket
        assert not len(protocol._outstanding)


async def test_a_flood_of_strangers_costs_few_proofs() -> None:
    async with Swarm() as swarm:
        node = await swarm.start()
        dice = random.Random(5)
        for number in range(300):
            request = FindNode(NodeId(dice.randbytes(20)), client=False, target=TARGET, token=b"")
            protocol_of(node).datagram_received(
                encode_request(bytes(8), request), ("127.0.0.1", 20_000 + number)
            )
        assert len(protocol_of(node)._proving) == MAX_PROVING
        assert node.overlay.contacts == 0


async def test_a_missing_attribute_is_an_error_and_no_remote_call() -> None:
    async with Swarm() as swarm:
        protocol = protocol_of(await swarm.start())
        with pytest.raises(AttributeError):
            _ = protocol.stun


def noise(dice: random.Random) -> bytes:
    """Draw random bytes, a valid request, or a request with damage."""
    sender, token = NodeId(dice.randbytes(20)), dice.choice([b"", dice.randbytes(8)])
    blob = dice.randbytes(dice.randrange(1, 900))
    requests: list[AnyRequest] = [
        Ping(sender, client=True),
        FindNode(sender, True, TARGET, token),
        FindValue(sender, True, TARGET, token, dice.randrange(256)),
        Store(sender, True, blob_key(blob), dice.randbytes(8), Kind.BLOB, blob),
    ]
    request = dice.choice(requests)
    kind = dice.randrange(3)
    if kind == 0:
        return dice.randbytes(dice.randrange(1300))
    data = bytearray(encode_request(dice.randbytes(8), request))
    if kind == 1:
        for _ in range(dice.randrange(1, 5)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        if dice.random() < 0.3:
            data[1] = 0xCC
    return bytes(data[: dice.randrange(len(data) + 1)] if dice.random() < 0.2 else data)


def resident_kilobytes() -> int:
    """Return the memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


async def test_ten_thousand_datagrams_of_noise_leave_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    dice = random.Random(6)
    async with Swarm() as swarm:
        alice = await swarm.start()
        bob = await swarm.start()
        caplog.set_level(logging.INFO)
        before = 0
        for number in range(10_000):
            protocol_of(alice).datagram_received(noise(dice), ("127.0.0.1", 1 + number % 60_000))
            if number == 2_000:
                before = resident_kilobytes()
            if number % 500 == 0:
                await asyncio.sleep(0)
        grown_kilobytes = resident_kilobytes() - before
        assert grown_kilobytes < 4_000
        assert not caplog.records
        assert len(protocol_of(alice).store_of_records) == 0
        assert protocol_of(alice).dropped > 1_000
        protocol_of(alice)._budget._all.left = 100.0  # as after a moment of rest
        assert await protocol_of(bob).ping(alice.endpoint) is not None


async def test_damaged_answers_do_not_reach_who_asked() -> None:
    dice = random.Random(7)
    async with Swarm() as swarm, stranger() as other:
        node = await swarm.start()

        def reply(data: bytes, address: tuple[str, int]) -> None:
            good = pong(KEY, data)
            for _ in range(200):
                bad = bytearray(good)
                bad[dice.randrange(len(bad))] ^= 1 << dice.randrange(8)
                try:
                    transaction_id, message = decode(bytes(bad))
                except WireError:
                    pass
                else:
                    if transaction_id == decode(data)[0] and isinstance(message, Pong):
                        continue  # a proof that fails is an answer too: tested above
                other.send(bytes(bad), address)
            other.send(good, address)

        other.reply = reply
        assert await answered(node, 2, other) == Contact(KEY.node_id, other.endpoint)


@pytest.mark.parametrize("answer", [Stored(SEEN, StoreCode.STORED), Nodes(SEEN, bytes(8), ())])
async def test_an_answer_that_nobody_waits_for_is_dropped(answer: Answer) -> None:
    async with Swarm() as swarm:
        protocol = protocol_of(await swarm.start())
        protocol.datagram_received(encode_answer(bytes(8), answer), HERE)
        assert protocol.dropped == 1
