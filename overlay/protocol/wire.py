"""Datagrams: msgpack arrays with a fixed shape, checked field by field. docs/protocol/overlay.md gives the layout.

A request without a token is padded, and no answer to it is more than three times as long: a forged sender address
gains nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, assert_never

import msgpack

from .contact import Contact, pack_contacts, unpack_contacts
from .endpoint import Endpoint
from .errors import StoreCode, WireError
from .nodeid import ID_BYTES, PUBLIC_KEY_BYTES, NodeId
from .record import MAX_VALUE_BYTES, SIGNATURE_BYTES, Kind, unpack
from .token import TOKEN_BYTES

VERSION = 1
MAX_DATAGRAM = 1200
TRANSACTION_ID_BYTES = 8
PADDED = 400
PADDED_PING = 64
MAX_CONTACTS = 20
CLIENT_FLAG = 1


class Type(IntEnum):
    """What a datagram is: requests are even, each answer follows its request."""

    PING = 0
    PONG = 1
    FIND_NODE = 2
    NODES = 3
    FIND_VALUE = 4
    VALUES = 5
    STORE = 6
    STORED = 7


@dataclass(frozen=True)
class Request:
    """What all requests carry: who asks, and whether they take part as a client only (in nobody's table)."""

    sender: NodeId
    client: bool


@dataclass(frozen=True)
class Ping(Request):
    """Prove that you own your id: sign my transaction id."""


@dataclass(frozen=True)
class FindNode(Request):
    """Name the contacts you know closest to ``target``."""

    target: NodeId
    token: bytes


@dataclass(frozen=True)
class FindValue(Request):
    """Give the values under ``target`` from number ``skip`` on, and the closest contacts."""

    target: NodeId
    token: bytes
    skip: int


@dataclass(frozen=True)
class Store(Request):
    """Keep a value; ``token`` is what you gave this address before."""

    target: NodeId
    token: bytes
    kind: int
    value: bytes


@dataclass(frozen=True)
class Pong:
    """The node's key and its signature over (transaction id, asker's id); a token, and the asker's address as seen."""

    public_key: bytes
    signature: bytes
    token: bytes
    observed: Endpoint


@dataclass(frozen=True)
class Nodes:
    """Contacts near the target."""

    token: bytes
    contacts: tuple[Contact, ...]


@dataclass(frozen=True)
class Values:
    """Some of the ``total`` values under the target, and contacts near it."""

    token: bytes
    contacts: tuple[Contact, ...]
    values: tuple[bytes, ...]
    total: int


@dataclass(frozen=True)
class Stored:
    """Whether the value is kept."""

    code: StoreCode


AnyRequest = Ping | FindNode | FindValue | Store
Answer = Pong | Nodes | Values | Stored


def pong_statement(transaction_id: bytes, asker: bytes) -> bytes:
    """Return what a pong signs."""
    return b"freecall/pong/1" + transaction_id + asker


def encode_request(transaction_id: bytes, request: AnyRequest) -> bytes:
    """Return the datagram of a request."""
    flags = CLIENT_FLAG if request.client else 0
    kind: Type
    rest: list[Any]
    match request:
        case Ping():
            kind, rest = Type.PING, []
        case FindNode(target=target, token=token):
            kind, rest = Type.FIND_NODE, [target, token]
        case FindValue(target=target, token=token, skip=skip):
            kind, rest = Type.FIND_VALUE, [target, token, skip]
        case Store(target=target, token=token, kind=value_kind, value=value):
            kind, rest = Type.STORE, [target, token, value_kind, value]
        case _:
            assert_never(request)
    fields = [VERSION, int(kind), transaction_id, request.sender, flags, *rest]
    data: bytes = msgpack.packb([*fields, b""])
    wanted = _padded_size(request)
    if len(data) < wanted:
        data = msgpack.packb([*fields, bytes(wanted - len(data))])
    return data


def _padded_size(request: AnyRequest) -> int:
    if isinstance(request, Ping):
        return PADDED_PING
    if isinstance(request, FindNode | FindValue) and not request.token:
        return PADDED
    return 0


def encode_answer(transaction_id: bytes, answer: Answer) -> bytes:
    """Return the datagram of an answer."""
    kind: Type
    rest: list[Any]
    match answer:
        case Pong():
            kind, rest = (
                Type.PONG,
                [answer.public_key, answer.signature, answer.token, answer.observed.pack()],
            )
        case Nodes():
            kind, rest = Type.NODES, [answer.token, *pack_contacts(answer.contacts)]
        case Values():
            values = list(answer.values)
            kind, rest = Type.VALUES, [answer.token, *pack_contacts(answer.contacts), values, answer.total]
        case Stored(code=code):
            kind, rest = Type.STORED, [int(code)]
        case _:
            assert_never(answer)
    data: bytes = msgpack.packb([VERSION, int(kind), transaction_id, *rest])
    return data


def decode(data: bytes) -> tuple[bytes, AnyRequest | Answer]:
    """Read a datagram: (transaction id, what it says).

    Raises:
        WireError: anything that does not fit exactly.
    """
    if not 12 <= len(data) <= MAX_DATAGRAM:
        raise WireError("datagram size")
    fields = unpack(data, most=16)
    if type(fields) is not list or len(fields) < 4 or fields[0] != VERSION or type(fields[0]) is not int:
        raise WireError("datagram version")
    transaction_id = _bytes(fields[2], TRANSACTION_ID_BYTES)
    reader = _READERS.get(fields[1]) if type(fields[1]) is int else None
    if reader is None:
        raise WireError("datagram type")
    message = reader(fields[3:])
    if isinstance(message, AnyRequest) and len(data) < _padded_size(message):
        raise WireError("a request without a token must be padded")
    return transaction_id, message


def _bytes(value: Any, size: int) -> bytes:
    if type(value) is not bytes or len(value) != size:
        raise WireError("field size")
    return value


def _fields(values: list[Any], count: int) -> list[Any]:
    if len(values) != count:
        raise WireError("field count")
    return values


def _asker(values: list[Any], count: int) -> tuple[NodeId, bool, list[Any]]:
    sender, flags, *rest, padding = _fields(values, count)
    if type(flags) is not int or not 0 <= flags < 256 or type(padding) is not bytes:
        raise WireError("flags")
    return NodeId(_bytes(sender, ID_BYTES)), bool(flags & CLIENT_FLAG), rest


def _token(value: Any) -> bytes:
    if value == b"" and type(value) is bytes:
        return b""
    return _bytes(value, TOKEN_BYTES)


def _number(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise WireError("number")
    return value


def _read_ping(values: list[Any]) -> Ping:
    sender, client, _ = _asker(values, 3)
    return Ping(sender, client)


def _read_find_node(values: list[Any]) -> FindNode:
    sender, client, (target, token) = _asker(values, 5)
    return FindNode(sender, client, NodeId(_bytes(target, ID_BYTES)), _token(token))


def _read_find_value(values: list[Any]) -> FindValue:
    sender, client, (target, token, skip) = _asker(values, 6)
    return FindValue(sender, client, NodeId(_bytes(target, ID_BYTES)), _token(token), _number(skip, 255))


def _read_store(values: list[Any]) -> Store:
    sender, client, (target, token, kind, value) = _asker(values, 7)
    if type(value) is not bytes or not 0 < len(value) <= MAX_VALUE_BYTES:
        raise WireError("value size")
    token = _bytes(token, TOKEN_BYTES)
    return Store(sender, client, NodeId(_bytes(target, ID_BYTES)), token, _number(kind, max(Kind)), value)


def _read_pong(values: list[Any]) -> Pong:
    public_key, signature, token, observed = _fields(values, 4)
    if type(observed) is not bytes:
        raise WireError("endpoint")
    return Pong(
        _bytes(public_key, PUBLIC_KEY_BYTES),
        _bytes(signature, SIGNATURE_BYTES),
        _bytes(token, TOKEN_BYTES),
        Endpoint.unpack(observed),
    )


def _contacts(v4: Any, v6: Any) -> tuple[Contact, ...]:
    if type(v4) is not bytes or type(v6) is not bytes:
        raise WireError("contacts")
    return tuple(unpack_contacts(v4, v6, most=MAX_CONTACTS))


def _read_nodes(values: list[Any]) -> Nodes:
    token, v4, v6 = _fields(values, 3)
    return Nodes(_bytes(token, TOKEN_BYTES), _contacts(v4, v6))


def _read_values(values: list[Any]) -> Values:
    token, v4, v6, found, total = _fields(values, 5)
    if type(found) is not list or not all(type(value) is bytes for value in found):
        raise WireError("values")
    return Values(_bytes(token, TOKEN_BYTES), _contacts(v4, v6), tuple(found), _number(total, 255))


def _read_stored(values: list[Any]) -> Stored:
    (code,) = _fields(values, 1)
    return Stored(StoreCode(_number(code, max(StoreCode))))


_READERS: dict[int, Callable[[list[Any]], AnyRequest | Answer]] = {
    Type.PING: _read_ping,
    Type.PONG: _read_pong,
    Type.FIND_NODE: _read_find_node,
    Type.NODES: _read_nodes,
    Type.FIND_VALUE: _read_find_value,
    Type.VALUES: _read_values,
    Type.STORE: _read_store,
    Type.STORED: _read_stored,
}
