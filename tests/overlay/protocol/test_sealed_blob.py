"""Sealed blobs: the same bytes each time for who knows the name, noise for everybody else."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlay.protocol.errors import WireError
from overlay.protocol.sealed_blob import OVERHEAD_BYTES, seal_blob, unseal_blob

BOB, ALICE = "sip:bob@mesh", "sip:alice@mesh"
KEY = b"an OpenPGP key of bob <sip:bob@mesh>"


@given(st.binary(min_size=1, max_size=1000), st.text(max_size=64))
@settings(max_examples=50)
def test_who_knows_the_name_reads_the_blob(data: bytes, uri: str) -> None:
    sealed = seal_blob(uri, data)
    assert unseal_blob(uri, sealed) == data
    assert len(sealed) == len(data) + OVERHEAD_BYTES


def test_who_knows_another_name_does_not() -> None:
    with pytest.raises(WireError, match="another name"):
        unseal_blob(ALICE, seal_blob(BOB, KEY))


def test_it_lies_at_the_same_place_after_each_start() -> None:
    assert seal_blob(BOB, KEY) == seal_blob(BOB, KEY)


def test_who_has_the_key_from_elsewhere_does_not_recognise_it() -> None:
    sealed, elsewhere = seal_blob(BOB, KEY), seal_blob(ALICE, KEY)
    assert sealed[:OVERHEAD_BYTES] != elsewhere[:OVERHEAD_BYTES]
    assert hashlib.sha256(KEY).digest()[:8] not in sealed
    assert b"bob" not in sealed


@given(st.integers(0, 8 * (len(KEY) + OVERHEAD_BYTES) - 1))
def test_one_turned_bit_is_noticed(bit: int) -> None:
    sealed = bytearray(seal_blob(BOB, KEY))
    sealed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(WireError):
        unseal_blob(BOB, bytes(sealed))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(sealed: bytes) -> None:
    with pytest.raises(WireError):
        unseal_blob(BOB, sealed)
