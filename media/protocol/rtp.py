"""Telling apart what shares a port (RFC 7983, RFC 5761), and the few RTP fields that a bridge must touch."""

RTP_HEADER_BYTES = 12
RTCP_HEADER_BYTES = 8
MAX_PACKET_BYTES = 1_500
"""Longest RTP or RTCP packet that is passed on: what an Ethernet frame could have carried."""

_RECEIVER_REPORT = 201
_SENDER_REPORT = 200
_FEEDBACK = (205, 206)


def is_dtls(first_byte: int) -> bool:
    """Tell whether a datagram with that first byte is DTLS (RFC 7983 section 7)."""
    return 19 < first_byte < 64


def is_srtp(first_byte: int) -> bool:
    """Tell whether a datagram with that first byte is (S)RTP or (S)RTCP: version 2 (RFC 7983 section 7)."""
    return 127 < first_byte < 192


def is_stun(first_byte: int) -> bool:
    """Tell whether a datagram with that first byte is STUN (RFC 7983 section 7)."""
    return first_byte < 4


def is_rtcp(packet: bytes) -> bool:
    """Tell RTCP from RTP by the second byte, 192 to 223 (RFC 5761 section 4), of two at least."""
    return 192 <= packet[1] <= 223


def is_passable(packet: bytes) -> bool:
    """Tell whether a packet from a phone has the length and version of RTP or RTCP."""
    size = len(packet)
    if not RTCP_HEADER_BYTES <= size <= MAX_PACKET_BYTES or packet[0] >> 6 != 2:
        return False
    return size >= RTP_HEADER_BYTES or is_rtcp(packet)


def with_ssrc(packet: bytes, ssrc: bytes) -> bytes:
    """Return an RTP packet with another SSRC (RFC 3550 section 5.1)."""
    return packet[:8] + ssrc + packet[12:]


def rtcp_with_sender(packet: bytes, old: bytes, new: bytes) -> bytes:
    """Return a compound RTCP packet in which the sender `old` has become `new` (RFC 3550 section 6.1).

    The first SSRC of each part is the sender's in SR, RR, SDES, BYE, APP and feedback packets alike.
    """
    out = bytearray(packet)
    for start, _ in parts(packet):
        if out[start + 4 : start + 8] == old:
            out[start + 4 : start + 8] = new
    return bytes(out)


def rtcp_with_subject(packet: bytes, old: bytes, new: bytes) -> bytes:
    """Return a compound RTCP packet whose reports and feedback about `old` are about `new`."""
    out = bytearray(packet)
    for start, end in parts(packet):
        for at in subjects(packet, start, end):
            if out[at : at + 4] == old:
                out[at : at + 4] = new
    return bytes(out)


def parts(packet: bytes) -> list[tuple[int, int]]:
    """Return (start, end) of each part of a compound packet that is whole and holds an SSRC."""
    parts, start = [], 0
    while start + RTCP_HEADER_BYTES <= len(packet):
        end = start + 4 * (int.from_bytes(packet[start + 2 : start + 4]) + 1)
        if end > len(packet) or end < start + RTCP_HEADER_BYTES:
            break
        parts.append((start, end))
        start = end
    return parts


def subjects(packet: bytes, start: int, end: int) -> range:
    """Return where the SSRCs stand that one part reports about (RFC 3550 6.4, RFC 4585 6.1)."""
    kind, count = packet[start + 1], packet[start] & 31
    if kind in _FEEDBACK:
        return range(start + 8, min(start + 12, end - 3), 4)
    first = {_SENDER_REPORT: start + 28, _RECEIVER_REPORT: start + 8}.get(kind)
    if first is None:
        return range(0)
    return range(first, min(first + 24 * count, end - 23), 24)
