"""Telling packets apart, and the SSRCs of RTCP."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from media.protocol.rtp import (
    is_dtls,
    is_passable,
    is_rtcp,
    is_srtp,
    is_stun,
    rtcp_with_sender,
    rtcp_with_subject,
    with_ssrc,
)

OLD, NEW, OTHER = b"old!", b"new!", b"othr"


def test_each_first_byte_is_of_one_kind_at_most() -> None:
    for byte in range(256):
        assert is_dtls(byte) + is_srtp(byte) + is_stun(byte) <= 1


def test_rtcp_is_192_to_223() -> None:
    kinds = [kind for kind in range(256) if is_rtcp(bytes([0x80, kind]))]
    assert kinds == list(range(192, 224))


def test_short_packets_of_rtcp_pass_and_of_rtp_do_not() -> None:
    assert is_passable(b"\x80\xc8" + bytes(6))
    assert not is_passable(b"\x80\x00" + bytes(6))
    assert not is_passable(b"\x00\x00" + bytes(30))


def report(kind: int, sender: bytes, *subjects: bytes) -> bytes:
    body = (
        sender + (bytes(20) if kind == 200 else b"") + b"".join(subject + bytes(20) for subject in subjects)
    )
    return struct.pack("!BBH", 0x80 | len(subjects), kind, len(body) // 4) + body


def test_a_compound_packet_changes_its_sender_everywhere_and_nothing_else() -> None:
    sdes = struct.pack("!BBH", 0x81, 202, 2) + OLD + b"\x01\x01a\0"
    packet = report(200, OLD, OTHER) + sdes + report(201, OTHER, OLD)
    assert rtcp_with_sender(packet, OLD, NEW) == report(200, NEW, OTHER) + sdes.replace(OLD, NEW) + report(
        201, OTHER, OLD
    )


def test_reports_and_feedback_about_a_stream_follow_it() -> None:
    feedback = struct.pack("!BBH", 0x81, 206, 2) + OTHER + OLD
    packet = report(201, OLD, OTHER, OLD) + feedback
    assert rtcp_with_subject(packet, OLD, NEW) == report(201, OLD, OTHER, NEW) + feedback.replace(OLD, NEW)


@given(st.binary(max_size=200))
def test_garbage_keeps_its_length(data: bytes) -> None:
    assert len(rtcp_with_sender(data, OLD, NEW)) == len(data)
    assert len(rtcp_with_subject(data, OLD, NEW)) == len(data)


def test_an_rtp_packet_gets_another_ssrc() -> None:
    assert with_ssrc(bytes(8) + OLD + b"payload", NEW) == bytes(8) + NEW + b"payload"
