"""Packet framing against pysequoia's, and on anything at all."""

import functools

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysequoia.packet import PacketPile

from trust.errors import BadKey, BadSignature
from trust.protocol.packets import check_public_key, check_signature, created, split


@functools.cache
def key() -> bytes:
    tsk = pysequoia.Tsk.generate(user_id="bob <sip:bob@mesh>", profile=pysequoia.Profile.RFC4880)
    return bytes(tsk.extract_certificate())


def test_packets_are_cut_where_sequoia_cuts_them() -> None:
    theirs = list(PacketPile.from_bytes(key()))
    ours = split(key())
    assert [packet.raw for packet in ours] == [bytes(packet) for packet in theirs]
    assert theirs[0].key_created is not None
    assert created(ours) == int(theirs[0].key_created.timestamp())


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"\xcd\x05", 5),
        (b"\xcd\xc0\x00", 192),
        (b"\xcd\xdf\xff", 8383),
        (b"\xcd\xff\x00\x00\x00\x05", 5),
        (b"\xb4\x05", 5),
        (b"\xb5\x01\x00", 256),
        (b"\xb6\x00\x00\x01\x00", 256),
    ],
)
def test_each_form_of_length_is_understood(header: bytes, length: int) -> None:
    (packet,) = split(header + bytes(length))
    assert (packet.tag, len(packet.body)) == (13, length)


@pytest.mark.parametrize(
    "data", [b"\x00", b"\xcd", b"\xcd\x05abc", b"\xcd\xc0", b"\xcd\xe1ab", b"\xb7abc", b"\xb5\x01"]
)
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        split(data)


@given(st.binary(max_size=400))
def test_whatever_is_cut_can_be_put_together_again(data: bytes) -> None:
    try:
        packets = split(data)
    except ValueError:
        return
    assert b"".join(packet.raw for packet in packets) == data


@given(st.binary(max_size=100))
def test_checks_raise_only_their_own_errors(data: bytes) -> None:
    for check, error in ((check_public_key, BadKey), (check_signature, BadSignature)):
        try:
            check(data)
        except error:
            continue
