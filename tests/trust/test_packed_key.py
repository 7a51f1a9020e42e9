"""Keys on the mesh: deflated, and inflated within bounds."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust.errors import BadKey
from trust.keyring import Keyring
from trust.openpgp import MAX_EXPORT_BYTES
from trust.protocol.packed_key import pack, unpack
from trust.protocol.packets import MAX_KEY_BYTES


async def test_a_packed_key_comes_out_whole_and_fits_into_one_value(alice: Keyring) -> None:
    key = await alice.export()
    assert unpack(pack(key)) == key
    assert len(pack(key)) <= MAX_EXPORT_BYTES


async def test_a_key_that_is_not_packed_is_taken_as_it_is(alice: Keyring) -> None:
    assert unpack(await alice.export()) == await alice.export()
    assert unpack(b"") == b""


async def test_something_can_be_encrypted_to_what_the_mesh_keeps(alice: Keyring) -> None:
    kept = unpack(pack(await alice.export()))
    assert await alice.decrypt(await alice.encrypt_to(kept, b"hello")) == b"hello"


def test_a_key_never_unpacks_to_more_than_any_key_may_have() -> None:
    assert unpack(zlib.compress(bytes(MAX_KEY_BYTES))) == bytes(MAX_KEY_BYTES)
    for size in (MAX_KEY_BYTES + 1, 10_000_000):
        with pytest.raises(BadKey, match="larger"):
            unpack(zlib.compress(bytes(size)))


@given(st.binary(min_size=1, max_size=200))
def test_random_bytes_do_no_harm(data: bytes) -> None:
    try:
        assert len(unpack(data)) <= MAX_KEY_BYTES
    except BadKey:
        assert data[0] < 0x80
