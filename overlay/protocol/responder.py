"""Answers what other nodes ask: to an unproven address never more than three times as long as the question."""

from collections.abc import Callable
from typing import Protocol

from .contact import Contact
from .endpoint import Endpoint, pack_host
from .errors import StoreCode, StoreRefused
from .nodeid import NodeId
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
                return self._find(transaction_id, request, token, room, now)

    def _keep(self, request: Store, source: Endpoint, now: float) -> StoreCode:
        if not self._tokens.is_valid(request.token, pack_host(source.host), now):
            return StoreCode.BAD_TOKEN
        try:
            self._store.put(request.target, request.kind, request.value, source.host, now)
        except StoreRefused as refused:
            return refused.code
        return StoreCode.STORED

    def _find(
        self, transaction_id: bytes, request: FindNode | FindValue, token: bytes, room: int, now: float
    ) -> bytes:
        near = tuple(
            c for c in self._table.nearest(request.target, MAX_ANSWER_CONTACTS + 1) if c.id != request.sender
        )
        near = near[:MAX_ANSWER_CONTACTS]
        values = self._store.get(request.target, now)[:255] if isinstance(request, FindValue) else []
        if not values:
            return _fitting(room, near, lambda some: encode_answer(transaction_id, Nodes(token, some)))
        assert isinstance(request, FindValue)
        few = near[:FEW_CONTACTS]
        shown = values[request.skip :]
        while shown:
            data = encode_answer(transaction_id, Values(token, few, tuple(shown), len(values)))
            if len(data) <= room:
                return data
            if few:
                few = few[:-1]
            else:
                few, shown = near[:FEW_CONTACTS], shown[:-1]
        return _fitting(
            room, near, lambda some: encode_answer(transaction_id, Values(token, some, (), len(values)))
        )


def _fitting(
    room: int, contacts: tuple[Contact, ...], encode: Callable[[tuple[Contact, ...]], bytes]
) -> bytes:
    """Encode with as many contacts as there is room for."""
    while True:
        data = encode(contacts)
        if len(data) <= room or not contacts:
            return data
        contacts = contacts[: len(contacts) - max(1, (len(data) - room) // 38)]


__all__ = ["Answer", "Responder", "Table"]
