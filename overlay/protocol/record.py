"""Signed records: what a node publishes, bound to its key, to the place in the DHT and to an order of versions.

A record is ``body || signature``: the body is the msgpack array ``[version, kind, public key, seq, ttl, payload]``
and the Ed25519 signature covers ``DOMAIN || target || body``. It therefore fits one target only; freshness is ``seq``,
which never falls, and a time to live counted by the node that stores it, so clocks may be wrong (the rules of BEP 44).
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any

import msgpack
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .endpoint import Endpoint
from .errors import WireError
from .nodeid import ID_BYTES, PUBLIC_KEY_BYTES, NodeId, node_id_of

VERSION = 1
DOMAIN = b"freecall/record/1"
MAX_VALUE_BYTES = 1000
SIGNATURE_BYTES = 64
MAX_TTL_SECONDS = 7200
MAX_SEQ = 2**63
MAX_ENDPOINTS = 16
HINT_BYTES = 8
REMEMBERED = 256


class Kind(IntEnum):
    """The three kinds of values."""

    NODE = 1
    CLAIM = 2
    BLOB = 3


@dataclass(frozen=True)
class Record:
    """A signed record as it lies in the DHT; an empty ``payload`` withdraws what was there. ``ttl`` in seconds."""

    kind: Kind
    public_key: bytes
    seq: int
    ttl: int
    payload: bytes
    raw: bytes

    @property
    def is_withdrawn(self) -> bool:
        """True when the owner took the record back."""
        return not self.payload


@dataclass(frozen=True)
class NodeRecord:
    """Where a node can be reached now, best first."""

    node_public_key: bytes
    endpoints: tuple[Endpoint, ...]
    seq: int
    ttl: int


def sign_record(
    kind: Kind,
    target: bytes,
    public_key: bytes,
    seq: int,
    ttl: int,
    payload: bytes,
    sign: Callable[[bytes], bytes],
) -> Record:
    """Return a new signed record.

    Raises:
        ValueError: it would be larger than 1,000 bytes.
    """
    body: bytes = msgpack.packb([VERSION, int(kind), public_key, seq, ttl, payload])
    raw = body + sign(DOMAIN + target + body)
    if len(raw) > MAX_VALUE_BYTES:
        raise ValueError(f"a record of {len(raw)} bytes; {MAX_VALUE_BYTES} are allowed")
    return Record(kind, public_key, seq, ttl, payload, raw)


@lru_cache(REMEMBERED)
def parse_record(target: bytes, raw: bytes) -> Record:
    """Read and check a record: cheap checks first, the signature last; the latest good ones are known again.

    Raises:
        WireError: malformed, too large, wrongly signed, or a node record under another node's id.
    """
    if not SIGNATURE_BYTES < len(raw) <= MAX_VALUE_BYTES:
        raise WireError("record size")
    body, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
    fields = unpack(body, most=6)
    if type(fields) is not list or len(fields) != 6 or type(fields[0]) is not int or fields[0] != VERSION:
        raise WireError("record version")
    record = _typed(fields, raw)
    if record.kind is Kind.NODE and node_id_of(record.public_key) != target:
        raise WireError("a node record belongs under the node's own id")
    try:
        Ed25519PublicKey.from_public_bytes(record.public_key).verify(signature, DOMAIN + target + body)
    except (InvalidSignature, ValueError) as error:
        raise WireError("record signature") from error
    return record


def _typed(fields: list[Any], raw: bytes) -> Record:
    _, kind, public_key, seq, ttl, payload = fields
    if kind not in (Kind.NODE, Kind.CLAIM) or type(kind) is not int:
        raise WireError("record kind")
    if type(public_key) is not bytes or len(public_key) != PUBLIC_KEY_BYTES or type(payload) is not bytes:
        raise WireError("record fields")
    if (
        type(seq) is not int
        or type(ttl) is not int
        or not 0 <= seq < MAX_SEQ
        or not 0 < ttl <= MAX_TTL_SECONDS
    ):
        raise WireError("record numbers")
    return Record(Kind(kind), public_key, seq, ttl, payload, raw)


def unpack(data: bytes, *, most: int) -> Any:
    """Read msgpack with every limit set.

    Raises:
        WireError: malformed or larger than the limits.
    """
    try:
        return msgpack.unpackb(
            data,
            raw=False,
            strict_map_key=True,
            max_array_len=most,
            max_map_len=0,
            max_ext_len=0,
            max_str_len=256,
            max_bin_len=1200,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise WireError("msgpack") from error


def pack_endpoints(endpoints: tuple[Endpoint, ...]) -> bytes:
    """Return a node record's payload."""
    packed: bytes = msgpack.packb([endpoint.pack() for endpoint in endpoints[:MAX_ENDPOINTS]])
    return packed


def node_record(record: Record) -> NodeRecord:
    """Return what a node record says.

    Raises:
        WireError: its payload is malformed.
    """
    if record.is_withdrawn:
        return NodeRecord(record.public_key, (), record.seq, record.ttl)
    packed = unpack(record.payload, most=MAX_ENDPOINTS)
    if type(packed) is not list or not all(type(item) is bytes for item in packed):
        raise WireError("endpoints")
    return NodeRecord(record.public_key, tuple(Endpoint.unpack(p) for p in packed), record.seq, record.ttl)


def key_hint(public_key: bytes) -> bytes:
    """Return the short name of a node key with which a searcher says whose value it hopes for."""
    return hashlib.sha256(public_key).digest()[-HINT_BYTES:]


def blob_key(data: bytes) -> NodeId:
    """Return where a blob lies: its own hash."""
    return NodeId(hashlib.sha256(data).digest()[:ID_BYTES])


def check_blob(target: bytes, data: bytes) -> None:
    """Check that ``data`` belongs under ``target``.

    Raises:
        WireError: too large, empty, or of another hash.
    """
    if not 0 < len(data) <= MAX_VALUE_BYTES or blob_key(data) != target:
        raise WireError("blob")
