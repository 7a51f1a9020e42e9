"""Answers what other nodes ask: to an unproven address never more than three times as long as the question."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from .contact import Contact
from .endpoint import V6_BYTES, Endpoint, pack_host
from .errors import StoreCode, StoreRefused
from .nodeid import ID_BYTES, NodeId
from .record_store import RecordStore
from .token import Tokens
from .wire import (
    MAX_MESSAGE,
    Answer,
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
    encode_answer,
    pong_statement,
)

AMPLIFICATION = 3
MAX_ANSWER_CONTACTS = 16
FEW_CONTACTS = 4
MAX_TOTAL = 255
MSGPACK_HEADER_BYTES = 3
V6_CONTACT_BYTES = ID_BYTES + V6_BYTES


class Table(Protocol):
    """The routing table, as the responder needs it."""

    def nearest(self, target: NodeId, count: int) -> list[Contact]:
        """Return the contacts closest to ``target``, closest first."""
        ...


class Responder:
    """One node's answers.

    ``sign`` makes Ed25519 signatures with the node key. ``dial_back`` gets what a `Dial` asks for and who asks, and
    tells how many nodes will ping.
    """

    def __init__(
        self,
        public_key: bytes,
        sign: Callable[[bytes], bytes],
        table: Table,
        store: RecordStore,
        tokens: Tokens,
        dial_back: Callable[[Endpoint | None, Endpoint], int] = lambda _endpoint, _asker: 0,
    ) -> None:
        self._public_key = public_key
        self._sign = sign
        self._table = table
        self._store = store
        self._tokens = tokens
        self._dial_back = dial_back

    def answer(
        self, transaction_id: bytes, request: AnyRequest, source: Endpoint, size: int, now: float
    ) -> bytes:
        """Return the datagram that answers a request of ``size`` bytes from ``source``."""
        token = self._tokens.issue(pack_host(source.host), now)
        match request:
            case Ping():
                proof = self._prove(transaction_id, request) if request.prove else (b"", b"")
                return encode_answer(transaction_id, Pong(source, token, *proof))
            case Store():
                return encode_answer(transaction_id, Stored(source, self._keep(request, source, now)))
            case Dial():
                return encode_answer(transaction_id, Dialed(source, self._dial(request, source, now)))
            case FindNode() | FindValue():
                proven = self.is_proven(request, source, now)
                room = MAX_MESSAGE if proven else min(MAX_MESSAGE, AMPLIFICATION * size)
                nodes = Nodes(source, token, tuple(self._near(request, source)))
                if isinstance(request, FindValue):
                    values = self._store.get(request.target, now, request.prefer)
                    if values:
                        return _values(transaction_id, nodes, values[:MAX_TOTAL], request.skip, room)
                return _nodes(transaction_id, nodes, room)

    def is_proven(self, request: AnyRequest, source: Endpoint, now: float) -> bool:
        """Tell whether a request comes from where it says: it brings a token that was sent there."""
        return not isinstance(request, Ping) and self._tokens.is_valid(
            request.token, pack_host(source.host), now
        )

    def _prove(self, transaction_id: bytes, request: Ping) -> tuple[bytes, bytes]:
        return self._public_key, self._sign(pong_statement(transaction_id, request.sender))

    def _dial(self, request: Dial, source: Endpoint, now: float) -> int:
        """Have a node pinged: the asker by others, or somebody else by ourselves; return by how many."""
        if not self.is_proven(request, source, now):
            return 0
        return self._dial_back(request.endpoint, source)

    def _keep(self, request: Store, source: Endpoint, now: float) -> StoreCode:
        if not self.is_proven(request, source, now):
            return StoreCode.BAD_TOKEN
        try:
            self._store.put(request.target, request.kind, request.value, source.host, now, request.age)
        except StoreRefused as refused:
            return refused.code
        return StoreCode.STORED

    def _near(self, request: FindNode | FindValue, source: Endpoint) -> list[Contact]:
        """Return whom to name: not the asker itself, nor who is on our machine or LAN to who is farther away."""
        found = self._table.nearest(request.target, MAX_ANSWER_CONTACTS + 1)
        scope = source.scope
        named = [c for c in found if c.id != request.sender and c.endpoint.scope >= scope]
        return named[:MAX_ANSWER_CONTACTS]


def _nodes(transaction_id: bytes, nodes: Nodes, room: int) -> bytes:
    """Encode with as many contacts as there is room for."""
    while True:
        data = encode_answer(transaction_id, nodes)
        if len(data) <= room or not nodes.contacts:
            return data
        fewer = len(nodes.contacts) - max(1, (len(data) - room) // V6_CONTACT_BYTES)
        nodes = replace(nodes, contacts=nodes.contacts[:fewer])


def _values(transaction_id: bytes, nodes: Nodes, values: Sequence[bytes], skip: int, room: int) -> bytes:
    """Encode with as many values as there is room for, then as many contacts, a few at most."""
    empty = Values(nodes.observed, nodes.token, (), (), len(values))
    room -= len(encode_answer(transaction_id, empty)) + MSGPACK_HEADER_BYTES
    shown = []
    for value in values[skip:]:
        room -= len(value) + MSGPACK_HEADER_BYTES
        if room < 0:
            break
        shown.append(value)
    named = nodes.contacts[: min(FEW_CONTACTS, max(0, room) // V6_CONTACT_BYTES)]
    return encode_answer(transaction_id, replace(empty, contacts=named, values=tuple(shown)))


__all__ = ["Answer", "Responder", "Table"]
