"""A node to fuzz: once by strangers from everywhere, once by a contact that it talks with. Both are `Subject`s."""

import asyncio
import json
import random
import zlib
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import Any

from overlay.identity import NodeKey
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint, pack_host
from overlay.protocol.nodeid import NodeId, node_id_of
from overlay.protocol.record import Kind, blob_key, sign_record
from overlay.protocol.request_budget import RequestBudget
from overlay.protocol.wire import (
    MAX_CONTACTS,
    TRANSACTION_ID_BYTES,
    AnyRequest,
    Dial,
    FindNode,
    FindValue,
    Nodes,
    Ping,
    Pong,
    Store,
    Values,
    encode_answer,
    encode_request,
    pong_statement,
)

from .tap import HERE, NAME, Tap, crowded

VECTORS = Path(__file__).parents[1] / "vectors" / "overlay"
ID = bytes(range(1, 1 + TRANSACTION_ID_BYTES))
TOKEN = b"token678"
FRIEND = NodeKey.from_seed(b"f" * 32)
ADDRESSES: list[tuple[Any, ...]] = [
    *((f"{host}.0.0.1", 7350) for host in range(50, 90)),
    *((f"2a00:{number:x}::1", 7350, 0, 0) for number in range(1, 17)),
    *(("127.0.0.1", 1), ("10.0.0.1", 7350), ("192.168.1.2", 65535), ("45.0.0.1", 7350), ("45.1.0.1", 0)),
    *(("::1", 7350, 0, 0), ("fe80::1%eth0", 7350, 0, 2), ("fd00::1", 7350, 0, 0)),
]


def spoofed(number: int) -> tuple[Any, ...]:
    """Return an address: one of those above for one number in four, any of 2.6 million for the others."""
    if number % 4 == 0:
        return ADDRESSES[number // 4 % len(ADDRESSES)]
    return f"{50 + number % 40}.{number >> 8 & 255}.{number >> 16 & 255}.1", 7350


def vectors(name: str) -> list[dict[str, Any]]:
    """Read one of the published files."""
    read: list[dict[str, Any]] = json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    return read


def datagrams() -> list[bytes]:
    """Return every published datagram, good and bad, and an answer with as many contacts as there can be."""
    dice = random.Random(1)
    contacts = tuple(Contact(NodeId(dice.randbytes(20)), HERE) for _ in range(MAX_CONTACTS))
    published = [
        bytes.fromhex(vector["datagram"])
        for name in ("messages", "refused", "networks")
        for vector in vectors(name)
        if "datagram" in vector
    ]
    return [*published, encode_answer(ID, Nodes(HERE, TOKEN, contacts))]


class Strangers:
    """Datagrams from everywhere to a node with a full table and a full name, which has asked nobody anything."""

    def __init__(self, group: asyncio.TaskGroup, address_of: Callable[[int], tuple[Any, ...]]) -> None:
        self._address_of = address_of
        self.overlay, tap = crowded()
        self._taps = (tap, Tap("2a00::1"))
        self.overlay._protocol.connection_made(self._taps[1])
        self.overlay._protocol.spawn = group.create_task
        self.answered = 0

    def take(self, data: bytes) -> None:
        """Receive it from somewhere; the same datagram always comes from the same address."""
        self.overlay._protocol.datagram_received(data, self._address_of(zlib.crc32(data)))
        for tap in self._taps:
            self.answered += len(tap.sent)
            tap.sent.clear()

    def hear_from_everywhere(self) -> None:
        """Receive a good ping from each address: what is kept for an address is kept from now on."""
        for address in ADDRESSES:
            self.overlay._protocol.datagram_received(encode_request(ID, Ping(NAME, client=True)), address)

    async def rest(self) -> None:
        """Let a tenth of a second pass."""
        await asyncio.sleep(0.1)

    def kept(self) -> dict[str, int]:
        """Return how much of everything is kept that a datagram might add to."""
        protocol, reachability = self.overlay._protocol, self.overlay._reachability
        judges = list(reachability._judges.values())
        return {
            "outstanding": len(protocol._outstanding),
            "tokens": len(protocol._tokens),
            "proofs": len(protocol._proofs),
            "proving": len(protocol._proving),
            "strikes": len(protocol._strikes),
            "last seen": len(protocol.last_seen),
            "budgets": len(protocol._budget._networks),
            "round trips": len(protocol.round_trips._each),
            "values": len(protocol.store_of_records),
            "table": len(protocol.router),
            "written to": len(reachability._written_to),
            "dials": len(reachability._dials._networks) + len(reachability._named_by._networks),
            "observed": sum(len(judge._observed) for judge in judges),
            "dialers": sum(len(judge._dialers) for judge in judges),
            "tasks": len(asyncio.all_tasks()),
        }


@asynccontextmanager
async def strangers(
    address_of: Callable[[int], tuple[Any, ...]] = lambda number: ADDRESSES[number % len(ADDRESSES)],
) -> AsyncIterator[Strangers]:
    """Open the node; it is closed at the end, with what it was doing. ``address_of`` a number: where one comes from."""
    async with asyncio.TaskGroup() as group:
        subject = Strangers(group, address_of)
        yield subject
        subject.overlay._protocol.close()


class OneId(random.Random):
    """Chance, but every question has the same transaction id: so an answer can be made before."""

    def randbytes(self, n: int) -> bytes:
        """Return the id, or chance."""
        return ID if n == len(ID) else super().randbytes(n)


class Insider:
    """Datagrams from a contact that has our token, and which we have just asked something.

    What the datagram says it is decides what we asked. `TOKEN` in it becomes the true one.
    """

    def __init__(self) -> None:
        self.overlay, self._tap = crowded()
        protocol = self._protocol = self.overlay._protocol
        protocol.dice = OneId(1)
        protocol.spawn = None
        protocol._budget = RequestBudget((inf, inf), (inf, inf))
        self._contact = Contact(FRIEND.node_id, Endpoint("45.1.0.1", 7350))
        self._renew()

    def take(self, data: bytes) -> None:
        """Ask, receive, and read the answer, if it was one."""
        now = asyncio.get_running_loop().time()
        token = self._protocol._responder._tokens.issue(pack_host(self._contact.endpoint.host), now)
        question = self._question(data[2] if len(data) > 2 else 0)
        waiting = question.send(None)
        self._protocol.datagram_received(data.replace(TOKEN, token), self._contact.address)
        if waiting.done():
            try:
                question.send(None)
            except StopIteration:
                pass
            else:
                raise AssertionError("it waits for something else, after the answer")
        else:
            question.close()
        self._tap.sent.clear()

    def _question(self, kind: int) -> Coroutine[asyncio.Future[Any], None, Any]:
        """Return what an answer of that type on the wire would answer."""
        protocol, contact = self._protocol, self._contact
        if kind == 1:
            return protocol.ping(contact.endpoint)
        if kind == 3:
            return protocol.find_node(contact, NAME)
        if kind == 7:
            return protocol.store(contact, NAME, Kind.BLOB, b"x")
        if kind == 9:
            return self.overlay._reachability._ask_to_dial(contact, None)
        return protocol.find_value(contact, NAME)

    async def rest(self) -> None:
        """Let a second pass."""
        await asyncio.sleep(1)
        self._renew()

    def _renew(self) -> None:
        """Keep the contact known, proven, and with its token."""
        now = asyncio.get_running_loop().time()
        self._protocol.router.add(self._contact)
        self._protocol._proofs.add(self._contact, now)
        self._protocol._tokens.keep(self._contact.address, TOKEN, now)


@asynccontextmanager
async def insider() -> AsyncIterator[Insider]:
    """Open the node."""
    subject = Insider()
    yield subject
    subject.overlay._protocol.close()


def conversation() -> list[bytes]:
    """Return datagrams as `Insider` would get them from an honest contact: with its token, or to its question."""
    overlay, _ = crowded()
    own, me = overlay._protocol.key, FRIEND.node_id
    messages = [encode_request(ID, request) for request in _requests(me)]
    statement = pong_statement(ID, own.node_id)
    messages.append(encode_answer(ID, Pong(HERE, TOKEN, FRIEND.public_key, FRIEND.sign(statement))))
    values = tuple(overlay._protocol.store_of_records.get(NAME, 0))[:2]
    contacts = tuple(overlay._protocol.router.nearest(NAME, 4))
    messages.append(encode_answer(ID, Values(HERE, TOKEN, contacts, values, 16)))
    return [*messages, *(data for data in datagrams() if data[4:].startswith(b"\x08" + ID))]


def _requests(me: NodeId) -> Iterator[AnyRequest]:
    yield Ping(me, client=False)
    yield FindNode(me, False, NAME, TOKEN)
    yield FindValue(me, False, NAME, TOKEN, 0)
    yield FindValue(me, False, NAME, TOKEN, 3, b"somebody")
    for key, number in ((FRIEND, 1), (FRIEND, 2), (NodeKey.from_seed(b"g" * 32), 1)):
        for kind, target in ((Kind.NODE, node_id_of(key.public_key)), (Kind.CLAIM, NAME)):
            raw = sign_record(kind, target, key.public_key, number, 3600, b"payload", key.sign).raw
            yield Store(me, False, target, TOKEN, kind, raw, number)
    for number in range(3):
        yield Store(me, False, blob_key(bytes([number])), TOKEN, Kind.BLOB, bytes([number]))
    for endpoint in (None, Endpoint("48.0.0.1", 7350), Endpoint("2a00:5::1", 7350), Endpoint("10.0.0.1", 22)):
        yield Dial(me, False, TOKEN, endpoint)
