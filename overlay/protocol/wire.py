"""Datagrams: msgpack arrays with a fixed shape, checked field by field. docs/protocol/overlay.md gives the layout.

A request without a token is padded, and no answer to it is more than three times as long: a forged sender address
gains nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, assert_never

import msgpack

from .contact import Contact, pack_contacts, unpack_contacts
from .endpoint import Endpoint
from .errors import StoreCode, WireError
from .network import MAC_BYTES
from .nodeid import ID_BYTES, PUBLIC_KEY_BYTES, NodeId
from .record import HINT_BYTES, MAX_TTL_SECONDS, MAX_VALUE_BYTES, SIGNATURE_BYTES, Kind, unpack
from .token import TOKEN_BYTES

VERSION = 1
MAX_DATAGRAM = 1200
TRANSACTION_ID_BYTES = 8
PADDED_FIND_VALUE = 400
PADDED_FIND_NODE = 240
PADDED_PING = 76
MAX_CONTACTS = 20
CLIENT_FLAG = 1
KNOWN_FLAG = 2
MAX_MESSAGE = MAX_DATAGRAM - MAC_BYTES


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
    DIAL = 8
    DIALED = 9


@dataclass(frozen=True)
class Request:
    """What all requests carry: who asks, and whether they take part as a client only (in nobody's table)."""

    sender: NodeId
    client: bool


@dataclass(frozen=True)
class Ping(Request):
    """Are you there? With ``prove``: prove that you own your id, sign my transaction id."""

    prove: bool = True


@dataclass(frozen=True)
class FindNode(Request):
    """Name the contacts you know closest to ``target``."""

    target: NodeId
    token: bytes


@dataclass(frozen=True)
class FindValue(Request):
    """Give the values under ``target`` from number ``skip`` on, and the closest contacts.

    ``prefer``: the value of the node key with this `key_hint` comes first; empty: no preference.
    """

    target: NodeId
    token: bytes
    skip: int
    prefer: bytes = b""


@dataclass(frozen=True)
class Store(Request):
    """Keep a value; ``token`` is what you gave this address before. ``age``: seconds since its owner published it."""

    target: NodeId
    token: bytes
    kind: int
    value: bytes
    age: int = 0


@dataclass(frozen=True)
class Dial(Request):
    """Ask others to ping me from addresses that I never wrote to; with ``endpoint``: ping that one yourself."""

    token: bytes
    endpoint: Endpoint | None


@dataclass(frozen=True)
class Answered:
    """What all answers carry: the asker's endpoint as the answerer sees it."""

    observed: Endpoint


@dataclass(frozen=True)
class Pong(Answered):
    """A token; the node's key and its signature over (transaction id, asker's id), both empty if not asked for."""

    token: bytes
    public_key: bytes
    signature: bytes


@dataclass(frozen=True)
class Nodes(Answered):
    """Contacts near the target."""

    token: bytes
    contacts: tuple[Contact, ...]


@dataclass(frozen=True)
class Values(Answered):
    """Some of the ``total`` values under the target, and contacts near it."""

    token: bytes
    contacts: tuple[Contact, ...]
    values: tuple[bytes, ...]
    total: int


@dataclass(frozen=True)
class Stored(Answered):
    """Whether the value is kept."""

    code: StoreCode


@dataclass(frozen=True)
class Dialed(Answered):
    """How many nodes were asked to ping, or do so."""

    count: int


AnyRequest = Ping | FindNode | FindValue | Store | Dial
Answer = Pong | Nodes | Values | Stored | Dialed


def pong_statement(transaction_id: bytes, asker: bytes) -> bytes:
    """Return what a pong signs."""
    return b"freecall/pong/1" + transaction_id + asker


def without_the_near(answer: Nodes | Values, source: Endpoint) -> Nodes | Values:
    """Leave out contacts on a nearer net than who names them: nobody out there makes us knock at doors in our LAN."""
    scope = source.scope
    fit = tuple(contact for contact in answer.contacts if contact.endpoint.scope >= scope)
    return answer if len(fit) == len(answer.contacts) else replace(answer, contacts=fit)


def encode_request(transaction_id: bytes, request: AnyRequest) -> bytes:
    """Return the datagram of a request."""
    flags = CLIENT_FLAG if request.client else 0
    kind: Type
    rest: list[Any]
    match request:
        case Ping(prove=prove):
            kind, rest = Type.PING, []
            flags |= 0 if prove else KNOWN_FLAG
        case FindNode(target=target, token=token):
            kind, rest = Type.FIND_NODE, [target, token]
        case FindValue(target=target, token=token, skip=skip, prefer=prefer):
            kind, rest = Type.FIND_VALUE, [target, token, skip, prefer]
        case Store(target=target, token=token, kind=value_kind, value=value, age=age):
            kind, rest = Type.STORE, [target, token, value_kind, value, age]
        case Dial(token=token, endpoint=endpoint):
            kind, rest = Type.DIAL, [token, endpoint.pack() if endpoint else b""]
        case _:
            assert_never(request)
    fields = [VERSION, int(kind), transaction_id, request.sender, flags, *rest]
    data: bytes = msgpack.packb([*fields, b""])
    wanted = _padded_size(request)
    if len(data) < wanted:
        data = msgpack.packb([*fields, bytes(wanted - len(data))])
    return data


def _padded_size(request: AnyRequest) -> int:
    if isinstance(request, Ping) and request.prove:
        return PADDED_PING
    if isinstance(request, FindNode | FindValue) and not request.token:
        return PADDED_FIND_NODE if isinstance(request, FindNode) else PADDED_FIND_VALUE
    return 0


def encode_answer(transaction_id: bytes, answer: Answer) -> bytes:
    """Return the datagram of an answer."""
    kind: Type
    rest: list[Any]
    match answer:
        case Pong():
            kind, rest = Type.PONG, [answer.token, answer.public_key, answer.signature]
        case Nodes():
            kind, rest = Type.NODES, [answer.token, *pack_contacts(answer.contacts)]
        case Values():
            values = list(answer.values)
            kind, rest = Type.VALUES, [answer.token, *pack_contacts(answer.contacts), values, answer.total]
        case Stored(code=code):
            kind, rest = Type.STORED, [int(code)]
        case Dialed(count=count):
            kind, rest = Type.DIALED, [count]
        case _:
            assert_never(answer)
    data: bytes = msgpack.packb([VERSION, int(kind), transaction_id, answer.observed.pack(), *rest])
    return data


def decode(
    data: bytes, *, is_awaited: Callable[[bytes], bool] = lambda _transaction_id: True
) -> tuple[bytes, AnyRequest | Answer]:
    """Read a datagram: (transaction id, what it says). An answer that is not awaited is not read to its end.

    Raises:
        WireError: anything that does not fit exactly, or that nobody asked for.
    """
    if not 12 <= len(data) <= MAX_MESSAGE:
        raise WireError("datagram size")
    fields = unpack(data, most=16)
    if type(fields) is not list or len(fields) < 4 or fields[0] != VERSION or type(fields[0]) is not int:
        raise WireError("datagram version")
    transaction_id = _bytes(fields[2], TRANSACTION_ID_BYTES)
    reader = _READERS.get(fields[1]) if type(fields[1]) is int else None
    if reader is None:
        raise WireError("datagram type")
    if fields[1] % 2 and not is_awaited(transaction_id):
        raise WireError("an answer that nobody asked for")
    message = reader(fields[3:])
    if isinstance(message, Request) and len(data) < _padded_size(message):
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


def _observed(values: list[Any], count: int) -> tuple[Endpoint, list[Any]]:
    observed, *rest = _fields(values, count)
    return _endpoint(observed), rest


def _endpoint(value: Any) -> Endpoint:
    if type(value) is not bytes:
        raise WireError("endpoint")
    return Endpoint.unpack(value)


def _token(value: Any) -> bytes:
    return _or_empty(value, TOKEN_BYTES)


def _or_empty(value: Any, size: int) -> bytes:
    return b"" if value == b"" and type(value) is bytes else _bytes(value, size)


def _number(value: Any, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise WireError("number")
    return value


def _read_ping(values: list[Any]) -> Ping:
    sender, client, _ = _asker(values, 3)
    return Ping(sender, client, prove=not values[1] & KNOWN_FLAG)


def _read_find_node(values: list[Any]) -> FindNode:
    sender, client, (target, token) = _asker(values, 5)
    return FindNode(sender, client, NodeId(_bytes(target, ID_BYTES)), _token(token))


def _read_find_value(values: list[Any]) -> FindValue:
    sender, client, (target, token, skip, prefer) = _asker(values, 7)
    target = NodeId(_bytes(target, ID_BYTES))
    return FindValue(sender, client, target, _token(token), _number(skip, 255), _or_empty(prefer, HINT_BYTES))


def _read_store(values: list[Any]) -> Store:
    sender, client, (target, token, kind, value, age) = _asker(values, 8)
    if type(value) is not bytes or not 0 < len(value) <= MAX_VALUE_BYTES:
        raise WireError("value size")
    target, token, kind = (
        NodeId(_bytes(target, ID_BYTES)),
        _bytes(token, TOKEN_BYTES),
        _number(kind, max(Kind)),
    )
    return Store(sender, client, target, token, kind, value, _number(age, MAX_TTL_SECONDS))


def _read_dial(values: list[Any]) -> Dial:
    sender, client, (token, endpoint) = _asker(values, 5)
    return Dial(sender, client, _bytes(token, TOKEN_BYTES), None if endpoint == b"" else _endpoint(endpoint))


def _read_pong(values: list[Any]) -> Pong:
    observed, (token, public_key, signature) = _observed(values, 4)
    public_key = _or_empty(public_key, PUBLIC_KEY_BYTES)
    return Pong(
        observed,
        _bytes(token, TOKEN_BYTES),
        public_key,
        _bytes(signature, SIGNATURE_BYTES if public_key else 0),
    )


def _contacts(v4: Any, v6: Any) -> tuple[Contact, ...]:
    if type(v4) is not bytes or type(v6) is not bytes:
        raise WireError("contacts")
    return tuple(unpack_contacts(v4, v6, most=MAX_CONTACTS))


def _read_nodes(values: list[Any]) -> Nodes:
    observed, (token, v4, v6) = _observed(values, 4)
    return Nodes(observed, _bytes(token, TOKEN_BYTES), _contacts(v4, v6))


def _read_values(values: list[Any]) -> Values:
    observed, (token, v4, v6, found, total) = _observed(values, 6)
    if type(found) is not list or not all(type(value) is bytes for value in found):
        raise WireError("values")
    token = _bytes(token, TOKEN_BYTES)
    return Values(observed, token, _contacts(v4, v6), tuple(found), _number(total, 255))


def _read_stored(values: list[Any]) -> Stored:
    observed, (code,) = _observed(values, 2)
    return Stored(observed, StoreCode(_number(code, max(StoreCode))))


def _read_dialed(values: list[Any]) -> Dialed:
    observed, (count,) = _observed(values, 2)
    return Dialed(observed, _number(count, 255))


_READERS: dict[int, Callable[[list[Any]], AnyRequest | Answer]] = {
    Type.PING: _read_ping,
    Type.PONG: _read_pong,
    Type.FIND_NODE: _read_find_node,
    Type.NODES: _read_nodes,
    Type.FIND_VALUE: _read_find_value,
    Type.VALUES: _read_values,
    Type.STORE: _read_store,
    Type.STORED: _read_stored,
    Type.DIAL: _read_dial,
    Type.DIALED: _read_dialed,
}
