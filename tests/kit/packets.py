"""What a packet on the wire is: Ethernet frames, and the mesh leg's protocols told apart.

RFC 7983 (first byte of what shares a media port), RFC 8446 5.1 (TLS records), RFC 3550 5.1 (RTP header).
"""

import ipaddress
import struct
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

STUN_COOKIE = b"\x21\x12\xa4\x42"
RTP_HEADER = 12
KNOWN_PREFIX = 80
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Packet:
    """One UDP datagram or TCP segment; `at` is when the kernel saw it, in Unix seconds, `sequence` is TCP's.

    `size` counts the IP packet with all its headers, in bytes.
    """

    at: float
    protocol: str
    source: Address
    destination: Address
    payload: bytes
    sequence: int = 0
    size: int = 0


def parse_frame(frame: bytes, at: float) -> Packet | None:
    """Return the UDP or TCP content of an Ethernet frame; None for anything else, fragments too."""
    ethertype = frame[12:14]
    if ethertype == b"\x08\x00" and len(frame) >= 34:
        size, fragment = struct.unpack("!H2xH", frame[16:22])
        start = 14 + (frame[14] & 15) * 4
        if fragment & 0x3FFF:
            return None
        body = frame[start : 14 + size]
        return _segment(frame[23], _text(frame[26:30]), _text(frame[30:34]), body, at, size)
    if ethertype == b"\x86\xdd" and len(frame) >= 54:
        (size,) = struct.unpack("!H", frame[18:20])
        body = frame[54 : 54 + size]
        return _segment(frame[20], _text(frame[22:38]), _text(frame[38:54]), body, at, 40 + size)
    return None


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


def _segment(
    protocol: int, source: str, destination: str, body: bytes, at: float, size: int
) -> Packet | None:
    if protocol == 17 and len(body) >= 8:
        sport, dport = struct.unpack("!HH", body[:4])
        return Packet(at, "udp", (source, sport), (destination, dport), body[8:], size=size)
    if protocol == 6 and len(body) >= 20:
        sport, dport, sequence = struct.unpack("!HHI", body[:8])
        payload = body[(body[12] >> 4) * 4 :]
        return Packet(at, "tcp", (source, sport), (destination, dport), payload, sequence, size)
    return None


def kind_of_datagram(packet: Packet, mesh_ports: Collection[int]) -> str:
    """Name what a UDP packet of the mesh leg is: dht, stun, dtls, srtp or other."""
    if packet.source[1] in mesh_ports or packet.destination[1] in mesh_ports:
        return "dht"
    data = packet.payload
    if not data:
        return "other"
    first = data[0]
    if first <= 3:
        return "stun" if data[4:8] == STUN_COOKIE else "other"
    if 20 <= first <= 63:
        return "dtls" if data[1:3] in (b"\xfe\xff", b"\xfe\xfd") else "other"
    return "srtp" if 128 <= first <= 191 else "other"


def rtp_payload(data: bytes) -> bytes | None:
    """Return the payload of an RTP packet (RFC 3550 5.1); None when it is not RTP."""
    if len(data) < RTP_HEADER or data[0] >> 6 != 2 or 192 <= data[1] <= 223:
        return None
    start = RTP_HEADER + 4 * (data[0] & 15)
    if data[0] & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int(struct.unpack("!H", data[start + 2 : start + 4])[0])
    return data[start:]


def is_plain(data: bytes, known: Collection[bytes]) -> bool:
    """Tell whether a datagram carries one of the `known` payloads in the clear.

    `known` holds the first `KNOWN_PREFIX` bytes of each payload that the phones sent.
    """
    payload = rtp_payload(data)
    return payload is not None and payload[:KNOWN_PREFIX] in known


def known_prefixes(payloads: Iterable[bytes]) -> set[bytes]:
    """Return what `is_plain` compares with."""
    return {payload[:KNOWN_PREFIX] for payload in payloads if len(payload) >= KNOWN_PREFIX}


def streams(packets: Iterable[Packet]) -> dict[tuple[Address, Address], bytes]:
    """Put TCP segments together: (source, destination) -> bytes, up to the first hole."""
    segments: dict[tuple[Address, Address], list[Packet]] = defaultdict(list)
    for packet in packets:
        if packet.protocol == "tcp" and packet.payload:
            segments[packet.source, packet.destination].append(packet)
    return {flow: _joined(parts) for flow, parts in segments.items()}


def _joined(parts: list[Packet]) -> bytes:
    base = parts[0].sequence
    out = bytearray()
    for part in sorted(parts, key=lambda packet: (packet.sequence - base) & 0xFFFFFFFF):
        offset = (part.sequence - base) & 0xFFFFFFFF
        if offset > len(out):
            break
        out[offset : offset + len(part.payload)] = part.payload
    return bytes(out)


def is_tls(stream: bytes) -> bool:
    """Tell whether a TCP stream, seen from its start, is nothing but TLS records (the last may be cut)."""
    position = 0
    while position + 5 <= len(stream):
        kind, version, size = struct.unpack("!BHH", stream[position : position + 5])
        if not (20 <= kind <= 23 and version in (0x0301, 0x0303) and size <= 16_640):
            return False
        position += 5 + size
    return True


def dtls_handshakes(packets: Iterable[Packet]) -> Iterator[tuple[Packet, int, bytes]]:
    """Yield (packet, handshake type, body) of each unencrypted DTLS handshake fragment (RFC 6347 4.2)."""
    for packet in packets:
        data = packet.payload
        while len(data) >= 25 and 20 <= data[0] <= 63:
            epoch, size = int.from_bytes(data[3:5], "big"), int.from_bytes(data[11:13], "big")
            if data[0] == 22 and epoch == 0:
                yield packet, data[13], data[25 : 13 + size]
            data = data[13 + size :]


def dtls_randoms(packets: Iterable[Packet]) -> set[bytes]:
    """Return the 32-byte randoms of all DTLS ClientHello and ServerHello messages."""
    return {body[2:34] for _, kind, body in dtls_handshakes(packets) if kind in (1, 2)}


def dtls_certificates(packets: Iterable[Packet]) -> set[bytes]:
    """Return the DTLS Certificate messages (their first fragments)."""
    return {body for _, kind, body in dtls_handshakes(packets) if kind == 11}
