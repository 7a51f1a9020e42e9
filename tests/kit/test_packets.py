"""The kit can tell what is on the wire."""

import struct

import pytest

from tests.kit.packets import (
    Packet,
    dtls_randoms,
    is_plain,
    is_tls,
    kind_of_datagram,
    known_prefixes,
    parse_frame,
    rtp_payload,
    streams,
)

NEAR, FAR = ("10.0.0.1", 40_000), ("10.0.0.2", 50_000)
RTP = struct.pack("!BBHII", 0x80, 0, 7, 160, 99)
VOICE = bytes(range(160))


def udp(payload: bytes, *, source: tuple[str, int] = NEAR) -> Packet:
    return Packet(0.0, "udp", source, FAR, payload)


def tcp(sequence: int, payload: bytes) -> Packet:
    return Packet(0.0, "tcp", NEAR, FAR, payload, sequence)


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"\0\1\0\0\x21\x12\xa4\x42" + bytes(12), "stun"),
        (b"\0\1\0\0" + bytes(16), "other"),
        (b"\x16\xfe\xfd" + bytes(20), "dtls"),
        (b"\x16\x03\x03" + bytes(20), "other"),
        (RTP + VOICE, "srtp"),
        (b"\x81\xc8" + bytes(30), "srtp"),
        (b"INVITE sip:", "other"),
        (b"", "other"),
    ],
)
def test_the_first_byte_tells_what_shares_a_media_port(payload: bytes, kind: str) -> None:
    assert kind_of_datagram(udp(payload), {7350}) == kind


def test_datagrams_at_the_mesh_port_belong_to_the_dht() -> None:
    assert kind_of_datagram(udp(b"anything", source=("10.0.0.1", 7350)), {7350}) == "dht"


def test_the_payload_begins_after_sources_and_extension() -> None:
    header = struct.pack("!BBHII", 0x92, 0, 7, 160, 99) + bytes(8) + struct.pack("!HH", 0xBEDE, 1) + bytes(4)
    assert rtp_payload(header + VOICE) == VOICE


def test_rtcp_is_not_rtp() -> None:
    assert rtp_payload(b"\x80\xc8" + bytes(30)) is None


def test_a_known_payload_in_the_clear_is_noticed() -> None:
    known = known_prefixes([VOICE])
    assert is_plain(RTP + VOICE, known)
    assert not is_plain(RTP + bytes(byte ^ 0x55 for byte in VOICE) + bytes(10), known)


def test_segments_are_put_together_in_order_across_the_wrap() -> None:
    start = 2**32 - 3
    parts = [tcp(start, b"abc"), tcp(3, b"ghi"), tcp(0, b"def"), tcp(0, b"def")]
    assert streams(parts) == {(NEAR, FAR): b"abcdefghi"}


def test_a_stream_ends_at_the_first_hole() -> None:
    assert streams([tcp(10, b"abc"), tcp(20, b"x")]) == {(NEAR, FAR): b"abc"}


def test_tls_is_records_and_nothing_else() -> None:
    record = b"\x17\x03\x03\x00\x04abcd"
    assert is_tls(b"\x16\x03\x01\x00\x01x" + record + record[:7])
    assert not is_tls(record + b"SIP/2.0 200 OK\r\n")


def test_a_frame_gives_its_addresses_and_its_payload() -> None:
    body = struct.pack("!HHHH", 5000, 6000, 11, 0) + b"abc"
    ip = struct.pack("!BBHHHBBH4B4B", 0x45, 0, 20 + len(body), 0, 0, 64, 17, 0, 10, 0, 0, 1, 10, 0, 0, 2)
    packet = parse_frame(bytes(12) + b"\x08\x00" + ip + body + b"padding", 1.5)
    assert packet == Packet(1.5, "udp", ("10.0.0.1", 5000), ("10.0.0.2", 6000), b"abc", size=31)
    assert parse_frame(bytes(12) + b"\x08\x06" + ip + body, 0.0) is None


def test_the_randoms_of_a_handshake_are_found() -> None:
    body = b"\xfe\xfd" + bytes(range(32)) + b"rest"
    handshake = bytes([1]) + bytes(11) + body
    record = b"\x16\xfe\xfd" + bytes(8) + struct.pack("!H", len(handshake)) + handshake
    assert dtls_randoms([udp(record)]) == {bytes(range(32))}
