"""Networks: what was sealed with one key is opened with that key only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.errors import WireError
from overlay.protocol.network import MAC_BYTES, PUBLIC, Network

keys = st.binary(min_size=16, max_size=32)


@given(keys, st.binary(max_size=1192))
def test_what_was_sealed_is_opened_with_the_same_key(key: bytes, message: bytes) -> None:
    network = Network(key)
    sealed = network.seal(message)
    assert len(sealed) == len(message) + MAC_BYTES
    assert network.open(sealed) == message


@given(keys, keys, st.binary(max_size=100), st.data())
def test_another_key_and_damage_are_refused(
    key: bytes, other: bytes, message: bytes, data: st.DataObject
) -> None:
    sealed = bytearray(Network(key).seal(message))
    if other != key:
        with pytest.raises(WireError):
            Network(other).open(bytes(sealed))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(WireError):
        Network(key).open(bytes(sealed))


def test_the_public_network_adds_nothing() -> None:
    assert PUBLIC.seal(b"x") == b"x"
    assert PUBLIC.open(b"x") == b"x"


def test_a_label_tells_networks_apart_and_not_the_key() -> None:
    one, two = Network(b"a" * 16), Network(b"b" * 16)
    assert len({one.label, two.label, PUBLIC.label}) == 3
    assert one.label == Network(b"a" * 16).label
    assert "61" * 8 not in one.label
    assert "a" * 16 not in repr(one)
