"""Attacks by datagrams: reflection, floods, replays, and everything that could make a node's memory grow."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import msgpack
import pytest

from overlay.dht import MAX_PROVING
from overlay.identity import NodeKey
from overlay.jobs import Jobs
from overlay.outstanding import MAX_OUTSTANDING
from overlay.overlay import Overlay
from overlay.protocol.contact import Contact, _contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.errors import StoreCode
from overlay.protocol.nodeid import NodeId
from overlay.protocol.proof import MAX_PROOFS
from overlay.protocol.quota import MAX_VALUES
from overlay.protocol.reachability import MAX_DIALERS, MAX_OBSERVERS
from overlay.protocol.record import Kind, blob_key
from overlay.protocol.record_store import MAX_SLOTS
from overlay.protocol.request_budget import MAX_NETWORKS, PER_NETWORK_BURST
from overlay.protocol.responder import AMPLIFICATION
from overlay.protocol.round_trip import MAX_REMEMBERED
from overlay.protocol.token import MAX_HELD
from overlay.protocol.wire import (
    MAX_CONTACTS,
    AnyRequest,
    Dial,
    Dialed,
    FindNode,
    FindValue,
    Nodes,
    Ping,
    Pong,
    Store,
    Stored,
    Values,
    decode,
    encode_answer,
    encode_request,
    pong_statement,
)
from overlay.reachability import DIALS_EACH, DIALS_TOGETHER, MAX_WRITTEN_TO, NAMED_BY_EACH

from .tap import NAME, Tap, crowded, tapped

ASKER = NodeId(b"a" * 20)
ID = bytes(8)
STRANGER = ("46.0.0.1", 7350)


def questions() -> Iterator[AnyRequest]:
    """Every question that a spoofer can ask: without a token, or with a made-up one."""
    for client in (True, False):
        yield Ping(ASKER, client)
        yield Ping(ASKER, client, prove=False)
        for token in (b"", b"guessed!"):
            yield FindNode(ASKER, client, NAME, token)
            for skip in range(MAX_SLOTS):
                yield FindValue(ASKER, client, NAME, token, skip)
                yield FindValue(ASKER, client, NAME, token, skip, b"anybody!")
        yield Store(ASKER, client, blob_key(b"x"), b"guessed!", Kind.BLOB, b"x")
        yield Dial(ASKER, client, b"guessed!", None)
        yield Dial(ASKER, client, b"guessed!", Endpoint("48.0.0.1", 53))


def bare(datagram: bytes) -> bytes:
    """Return a question without its padding."""
    return bytes(msgpack.packb([*msgpack.unpackb(datagram)[:-1], b""]))


@pytest.mark.parametrize("node", [crowded, tapped])
@pytest.mark.parametrize("question", list(questions()), ids=lambda question: type(question).__name__)
async def test_a_spoofed_address_gets_three_times_what_the_spoofer_spent_at_most(
    question: AnyRequest, node: Callable[[], tuple[Overlay, Tap]]
) -> None:
    """Reflection (US-CERT TA14-017A): the answer, and all that the question makes a node send, goes to the victim.

    A node with an empty table asks every stranger back for a proof; one with a full store has the longest answers.
    """
    padded = encode_request(ID, question)
    for datagram in (padded, bare(padded)):
        overlay, tap = node()
        async with asyncio.TaskGroup() as group:
            overlay._protocol.spawn = group.create_task
            overlay._protocol.datagram_received(datagram, STRANGER)
            await asyncio.sleep(0)
            assert sum(len(sent) for sent, _ in tap.sent) <= AMPLIFICATION * len(datagram)
            assert {address for _, address in tap.sent} <= {STRANGER}
            overlay._protocol.close()


async def test_nothing_is_stored_nor_dialled_for_a_guessed_token() -> None:
    overlay, tap = tapped()
    for number in range(100):
        token = number.to_bytes(8, "big")
        for request in (
            Store(ASKER, False, blob_key(b"x"), token, Kind.BLOB, b"x"),
            Dial(ASKER, False, token, None),
        ):
            overlay._protocol.datagram_received(encode_request(ID, request), STRANGER)
    answers = {decode(sent)[1] for sent, _ in tap.sent}
    seen = Endpoint(*STRANGER)
    assert answers == {Stored(seen, StoreCode.BAD_TOKEN), Dialed(seen, 0)}
    assert len(overlay._protocol.store_of_records) == 0


async def test_a_flood_from_one_network_is_dropped_and_others_are_answered() -> None:
    overlay, tap = tapped()
    ping = encode_request(ID, Ping(ASKER, client=True))
    for number in range(5000):
        overlay._protocol.datagram_received(ping, (f"46.0.0.{number % 250}", 1 + number))
    flooded = len(tap.sent)
    assert flooded < 1.2 * PER_NETWORK_BURST
    overlay._protocol.datagram_received(ping, ("47.0.0.1", 7350))
    assert len(tap.sent) == flooded + 1


class CountedJobs(Jobs):
    """Runs nothing."""

    started = 0

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        """Count it."""
        job.close()
        self.started += 1


async def token_for(overlay: Overlay, tap: Tap, address: tuple[str, int]) -> bytes:
    """Ask for a token from an address."""
    overlay._protocol.datagram_received(encode_request(ID, Ping(ASKER, client=True)), address)
    _, pong = decode(tap.sent.pop()[0])
    assert isinstance(pong, Pong)
    return pong.token


async def test_dial_backs_are_few_and_never_to_private_addresses() -> None:
    """A port scan by proxy: somebody has us ping addresses of their choice."""
    overlay, tap = crowded()
    jobs = CountedJobs()
    overlay._reachability._jobs = jobs
    asked = []
    for address in (STRANGER, ("45.0.0.1", 7350), ("45.1.0.1", 7350), ("45.2.0.1", 7350)):
        token = await token_for(overlay, tap, address)
        counts = []
        for number in range(60):
            for host in (f"48.0.{number}.1", f"192.168.1.{number}", f"127.0.0.{1 + number}"):
                request = Dial(ASKER, False, token, Endpoint(host, 22))
                overlay._protocol.datagram_received(encode_request(ID, request), address)
                _, dialed = decode(tap.sent.pop()[0])
                assert isinstance(dialed, Dialed)
                assert host.startswith("48.") or not dialed.count
                counts.append(dialed.count)
        assert sum(counts) <= NAMED_BY_EACH[1] + 1
        asked.append(sum(counts))
    assert asked[0] == 0  # no contact of ours
    assert asked[1] > 0
    assert sum(asked) == jobs.started <= DIALS_TOGETHER[1] + 1


async def test_nobody_is_flooded_with_dial_backs_however_many_ask() -> None:
    overlay, tap = crowded()
    jobs = CountedJobs()
    overlay._reachability._jobs = jobs
    for address in (("45.0.0.1", 7350), ("45.1.0.1", 7350), ("45.2.0.1", 7350)):
        token = await token_for(overlay, tap, address)
        for port in range(1, 21):
            request = Dial(ASKER, False, token, Endpoint("48.0.0.1", port))
            overlay._protocol.datagram_received(encode_request(ID, request), address)
    assert jobs.started <= DIALS_EACH[1] + 1


async def test_an_old_pong_proves_nothing() -> None:
    """A replay: the liar shows a proof that the true owner once gave, to us or to somebody else."""
    overlay, tap = tapped()
    protocol, owner = overlay._protocol, NodeKey.generate()
    liar = Endpoint(*STRANGER)
    statements = [pong_statement(ID, ASKER), pong_statement(ID, protocol.key.node_id)]
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(protocol.ping(liar))
        await asyncio.sleep(0)
        transaction_id, _ = decode(tap.sent[-1][0])
        for statement in statements:
            old = Pong(Endpoint("45.0.0.1", 1), b"token678", owner.public_key, owner.sign(statement))
            protocol.datagram_received(encode_answer(transaction_id, old), STRANGER)
    assert asking.result() is None
    assert len(protocol.router) == 0


async def test_the_contacts_in_an_answer_that_nobody_asked_for_are_neither_read_nor_remembered() -> None:
    """Reading twenty contacts takes longer than all else that a stranger can send, and each would stay in memory."""
    overlay, _ = tapped()
    protocol, dice, read = overlay._protocol, random.Random(5), _contact.cache_info().misses
    for _ in range(100):
        contacts = tuple(
            Contact(NodeId(dice.randbytes(20)), Endpoint(*STRANGER)) for _ in range(MAX_CONTACTS)
        )
        for answer in (
            Nodes(Endpoint(*STRANGER), b"token678", contacts),
            Values(Endpoint(*STRANGER), b"token678", contacts, (b"x",), 1),
        ):
            protocol.datagram_received(encode_answer(dice.randbytes(8), answer), STRANGER)
    assert protocol.dropped == 200
    assert _contact.cache_info().misses == read


def noise(dice: random.Random, number: int) -> tuple[bytes, tuple[str, int]]:
    """Return a well-formed datagram of some stranger: each from another address, with another id."""
    address = (
        f"{dice.randrange(11, 100)}.{dice.randrange(256)}.{dice.randrange(256)}.1",
        1 + number % 60_000,
    )
    sender, target = NodeId(dice.randbytes(20)), NodeId(dice.randbytes(20))
    seen = Endpoint(f"45.{number % 200}.0.1", 1)
    message: bytes = dice.choice(
        [
            encode_request(dice.randbytes(8), Ping(sender, client=False)),
            encode_request(dice.randbytes(8), FindNode(sender, False, target, b"")),
            encode_request(dice.randbytes(8), FindValue(sender, False, target, b"", 0)),
            encode_request(dice.randbytes(8), Store(sender, False, target, dice.randbytes(8), 3, b"x")),
            encode_request(dice.randbytes(8), Dial(sender, False, dice.randbytes(8), None)),
            encode_answer(dice.randbytes(8), Nodes(seen, dice.randbytes(8), ())),
            encode_answer(dice.randbytes(8), Stored(seen, StoreCode.STORED)),
        ]
    )
    return message, address


async def test_whatever_comes_from_strangers_no_container_grows_beyond_its_cap() -> None:
    overlay, tap = tapped()
    protocol, reachability, dice = overlay._protocol, overlay._reachability, random.Random(3)
    for number in range(20_000):
        protocol.datagram_received(*noise(dice, number))
        tap.sent.clear()
        stranger = Endpoint(f"{11 + number % 80}.{number // 256 % 256}.{number % 256}.1", 1 + number % 60_000)
        protocol.round_trips.learn((stranger.host, stranger.port), 0.1)
        protocol._tokens.keep((stranger.host, stranger.port), b"token678", 0)
        protocol._proofs.add(Contact(NodeId(number.to_bytes(20, "big")), stranger), 0)
        reachability._observed(stranger, Endpoint(f"45.{number % 200}.0.1", 1))
        reachability._write(stranger)
        reachability._requested(stranger)
    sizes_and_caps = [
        (len(protocol._outstanding), MAX_OUTSTANDING),
        (len(protocol._tokens), MAX_HELD),
        (len(protocol._proofs), MAX_PROOFS),
        (len(protocol._proving), MAX_PROVING),
        (len(protocol._strikes), 0),
        (len(protocol.last_seen), 0),
        (len(protocol._budget._networks), MAX_NETWORKS),
        (len(protocol.round_trips._each), MAX_REMEMBERED),
        (len(protocol.store_of_records), MAX_VALUES),
        (len(protocol.router), 0),
        (len(reachability._written_to), MAX_WRITTEN_TO),
        (len(reachability._dials._networks), MAX_NETWORKS),
        *((len(judge._observed), MAX_OBSERVERS) for judge in reachability._judges.values()),
        *((len(judge._dialers), MAX_DIALERS) for judge in reachability._judges.values()),
    ]
    assert [size for size, cap in sizes_and_caps if size > cap] == []
