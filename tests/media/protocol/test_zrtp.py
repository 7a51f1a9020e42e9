"""ZRTP packets: told from RTP, carried whole, never more than a record holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocol.confirmation_messages import Kind, Message
from media.protocol.rtp import is_passable
from media.protocol.zrtp import KIND, LARGEST_BYTES, carried, carry, is_last, is_zrtp


def zrtp(message: bytes = b"Hello   ", body: bytes = bytes(76)) -> bytes:
    """Return a packet as RFC 6189 section 5 draws it; the CRC is the phones' matter."""
    length = (4 + len(message) + len(body)) // 4
    return (
        b"\x10\x00\x00\x01ZRTP\x00\x00\x00\x07\x50\x5a"
        + length.to_bytes(2)
        + message
        + body
        + b"\xc3\xc2\xc1\xc0"
    )


@pytest.mark.parametrize(
    "packet",
    [
        zrtp()[:27],
        b"\x80" + zrtp()[1:],
        b"\x10\x01" + zrtp()[2:],
        zrtp()[:4] + b"zrtp" + zrtp()[8:],
        zrtp(body=bytes(LARGEST_BYTES)),
        b"",
    ],
)
def test_anything_else_is_no_zrtp(packet: bytes) -> None:
    assert not is_zrtp(packet)
    assert carried(carry(packet)) is None


@given(st.binary(max_size=LARGEST_BYTES - 28).map(lambda body: zrtp(body=body)))
def test_a_packet_is_carried_as_it_is(packet: bytes) -> None:
    assert is_zrtp(packet)
    assert not is_passable(packet)
    assert carried(carry(packet)) == packet


@given(st.binary(max_size=60))
def test_whatever_comes_is_one_of_these_or_is_not(data: bytes) -> None:
    packet = carried(data)
    assert packet is None or carry(packet) == data


def test_the_last_message_is_known() -> None:
    assert is_last(zrtp(b"Conf2ACK", b""))
    assert not is_last(zrtp(b"Confirm2"))


def test_the_record_is_none_of_the_confirmations() -> None:
    assert KIND not in list(Kind)
    with pytest.raises(ValueError, match="7"):
        Message.parse(carry(zrtp()))
