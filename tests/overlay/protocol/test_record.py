"""Records: what is signed is what is read, and nothing else is."""

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlay.identity import NodeKey
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.errors import WireError
from overlay.protocol.record import (
    DOMAIN,
    MAX_SEQ,
    MAX_TTL_SECONDS,
    MAX_VALUE_BYTES,
    Kind,
    NodeRecord,
    Record,
    blob_key,
    check_blob,
    node_record,
    pack_endpoints,
    parse_record,
    sign_record,
    unpack,
)

from .strategies import endpoints

KEY, OTHER = NodeKey.from_seed(bytes(32)), NodeKey.from_seed(bytes([1]) * 32)
TARGET = bytes(range(20))


def claim(payload: bytes = b"sealed", seq: int = 7, ttl: int = 3600, target: bytes = TARGET) -> Record:
    """Sign a claim record."""
    return sign_record(Kind.CLAIM, target, KEY.public_key, seq, ttl, payload, KEY.sign)


def forge(fields: object, target: bytes = TARGET) -> bytes:
    """Sign any body with the right key."""
    body: bytes = msgpack.packb(fields)
    return body + KEY.sign(DOMAIN + target + body)


@given(st.binary(max_size=850), st.integers(0, MAX_SEQ - 1), st.integers(1, MAX_TTL_SECONDS))
@settings(max_examples=50)
def test_what_is_signed_is_read_again(payload: bytes, seq: int, ttl: int) -> None:
    record = claim(payload, seq, ttl)
    assert parse_record(TARGET, record.raw) == record
    assert record.is_withdrawn == (not payload)


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=100)
def test_one_changed_byte_anywhere_is_noticed(place: int, change: int) -> None:
    raw = bytearray(claim().raw)
    raw[place % len(raw)] ^= change
    with pytest.raises(WireError):
        parse_record(TARGET, bytes(raw))


def test_a_record_fits_its_target_only() -> None:
    with pytest.raises(WireError, match="signature"):
        parse_record(bytes(20), claim().raw)


def test_another_key_cannot_sign() -> None:
    forged = sign_record(Kind.CLAIM, TARGET, KEY.public_key, 8, 60, b"x", OTHER.sign)
    with pytest.raises(WireError, match="signature"):
        parse_record(TARGET, forged.raw)


def test_a_node_record_lies_under_the_nodes_own_id_only() -> None:
    good = sign_record(Kind.NODE, KEY.node_id, KEY.public_key, 1, 60, b"x", KEY.sign)
    assert parse_record(KEY.node_id, good.raw).kind is Kind.NODE
    squatter = sign_record(Kind.NODE, OTHER.node_id, KEY.public_key, 1, 60, b"x", KEY.sign)
    with pytest.raises(WireError, match="own id"):
        parse_record(OTHER.node_id, squatter.raw)


@pytest.mark.parametrize(
    "fields",
    [
        [0, 2, KEY.public_key, 1, 60, b"x"],
        [2, 2, KEY.public_key, 1, 60, b"x"],
        [True, 2, KEY.public_key, 1, 60, b"x"],
        [1, 3, KEY.public_key, 1, 60, b"x"],
        [1, 2.0, KEY.public_key, 1, 60, b"x"],
        [1, 2, KEY.public_key[:31], 1, 60, b"x"],
        [1, 2, KEY.public_key, -1, 60, b"x"],
        [1, 2, KEY.public_key, MAX_SEQ, 60, b"x"],
        [1, 2, KEY.public_key, 1, 0, b"x"],
        [1, 2, KEY.public_key, 1, MAX_TTL_SECONDS + 1, b"x"],
        [1, 2, KEY.public_key, True, 60, b"x"],
        [1, 2, KEY.public_key, 1, 60, "x"],
        [1, 2, KEY.public_key, 1, 60],
        [1, 2, KEY.public_key, 1, 60, b"x", b"y"],
        {},
        7,
    ],
)
def test_another_version_or_shape_is_refused_even_when_signed(fields: object) -> None:
    with pytest.raises(WireError):
        parse_record(TARGET, forge(fields))


def test_nothing_larger_than_1000_bytes_is_signed_or_read() -> None:
    room = MAX_VALUE_BYTES - len(claim(b"").raw) - 1
    assert len(claim(bytes(room)).raw) == MAX_VALUE_BYTES
    with pytest.raises(ValueError, match="1000"):
        claim(bytes(room + 1))
    with pytest.raises(WireError):
        parse_record(TARGET, forge([1, 2, KEY.public_key, 7, 3600, bytes(room + 1)]))


@given(st.binary(max_size=1100))
def test_any_bytes_are_a_record_or_a_wire_error(data: bytes) -> None:
    with pytest.raises(WireError):
        parse_record(TARGET, data)


def test_nested_and_oversized_msgpack_is_refused_cheaply() -> None:
    for bomb in (
        b"\x91" * 900,
        b"\xdd\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x81\x01\x02",
        b"\xd6\xff1234",
    ):
        with pytest.raises(WireError):
            unpack(bomb, most=16)


@given(st.lists(endpoints, max_size=20))
@settings(max_examples=30)
def test_a_node_record_says_up_to_16_endpoints(some: list[Endpoint]) -> None:
    payload = pack_endpoints(tuple(some))
    record = sign_record(Kind.NODE, KEY.node_id, KEY.public_key, 3, 60, payload, KEY.sign)
    assert node_record(record) == NodeRecord(KEY.public_key, tuple(some[:16]), 3, 60)


@pytest.mark.parametrize(
    "payload", [b"\xff", msgpack.packb("x"), msgpack.packb([1]), msgpack.packb([b"short"])]
)
def test_endpoints_that_make_no_sense_are_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        node_record(sign_record(Kind.NODE, KEY.node_id, KEY.public_key, 3, 60, payload, KEY.sign))


def test_a_withdrawn_node_record_says_nothing() -> None:
    gone = sign_record(Kind.NODE, KEY.node_id, KEY.public_key, 3, 60, b"", KEY.sign)
    assert node_record(gone).endpoints == ()


def test_a_blob_lies_under_its_own_hash() -> None:
    check_blob(blob_key(b"key"), b"key")
    for target, data in (
        (blob_key(b"key"), b"kez"),
        (blob_key(b""), b""),
        (blob_key(bytes(1001)), bytes(1001)),
    ):
        with pytest.raises(WireError):
            check_blob(target, data)
