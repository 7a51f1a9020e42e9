"""Answers what other nodes ask: to an unproven address never more than three times as long as the question."""

from collections.abc import Callable, Sequence
from typing import Protocol

from .contact import Contact
from .endpoint import V6_BYTES, Endpoint, pack_host
from .errors import StoreCode, StoreRefused
from .nodeid import ID_BYTES, NodeId
from .record_store import RecordStore
from .token import Tokens
from .wire import (
    MAX_DATAGRAM,
    Answer,
    AnyRequest,
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
    """One node's answers. ``sign`` makes Ed25519 signatures with the node key."""

    def __init__(
        self,
        public_key: bytes,
        sign: Callable[[bytes], bytes],
        table: Table,
        store: RecordStore,
        tokens: Tokens,
    ) -> None:
        self._public_key = public_key
        self._sign = sign
        self._table = table
        self._store = store
        self._tokens = tokens

    def answer(
        self, transaction_id: bytes, request: AnyRequest, source: Endpoint, size: int, now: float
    ) -> bytes:
        """Return the datagram that answers a request of ``size`` bytes from ``source``."""
        token = self._tokens.issue(pack_host(source.host), now)
        match request:
            case Ping():
                signature = self._sign(pong_statement(transaction_id, request.sender))
                return encode_answer(transaction_id, Pong(self._public_key, signature, token, source))
            case Store():
                return encode_answer(transaction_id, Stored(self._keep(request, source, now)))
            case FindNode() | FindValue():
                proven = self._tokens.is_valid(request.token, pack_host(source.host), now)
                room = MAX_DATAGRAM if proven else min(MAX_DATAGRAM, AMPLIFICATION * size)
                near = self._near(request, source)
                values = self._store.get(request.target, now) if isinstance(request, FindValue) else []
                if not values:
                    return _nodes(transaction_id, token, near, room)
                skip = request.skip if isinstance(request, FindValue) else 0
                return _values(transaction_id, token, near[:FEW_CONTACTS], values[:MAX_TOTAL], skip, room)

    def _keep(self, request: Store, source: Endpoint, now: float) -> StoreCode:
        if not self._tokens.is_valid(request.token, pack_host(source.host), now):
            return StoreCode.BAD_TOKEN
        try:
            self._store.put(request.target, request.kind, request.value, source.host, now)
        except StoreRefused as refused:
            return refused.code
        return StoreCode.STORED

    def _near(self, request: FindNode | FindValue, source: Endpoint) -> list[Contact]:
        """Return whom to name: not the asker itself, and who is on our loopback only to who is there too."""
        found = self._table.nearest(request.target, MAX_ANSWER_CONTACTS + 1)
        local = source.is_loopback
        named = [c for c in found if c.id != request.sender and (local or not c.endpoint.is_loopback)]
        return named[:MAX_ANSWER_CONTACTS]


def _nodes(transaction_id: bytes, token: bytes, near: Sequence[Contact], room: int) -> bytes:
    """Encode with as many contacts as there is room for."""
    while True:
        data = encode_answer(transaction_id, Nodes(token, tuple(near)))
        if len(data) <= room or not near:
            return data
        near = near[: len(near) - max(1, (len(data) - room) // V6_CONTACT_BYTES)]


def _values(
    transaction_id: bytes,
    token: bytes,
    near: Sequence[Contact],
    values: Sequence[bytes],
    skip: int,
    room: int,
) -> bytes:
    """Encode with as many values as there is room for, then as many contacts."""
    empty = encode_answer(transaction_id, Values(token, (), (), len(values)))
    room -= len(empty) + MSGPACK_HEADER_BYTES
    shown, named = [], []
    for value in values[skip:]:
        room -= len(value) + MSGPACK_HEADER_BYTES
        if room < 0:
            break
        shown.append(value)
    for contact in near:
        room -= V6_CONTACT_BYTES
        if room < 0:
            break
        named.append(contact)
    return encode_answer(transaction_id, Values(token, tuple(named), tuple(shown), len(values)))


__all__ = ["Answer", "Responder", "Table"]
