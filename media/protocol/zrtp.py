"""ZRTP of the phones (RFC 6189 section 5), carried between the nodes as it is, inside the DTLS association.

ZRTP shares a port with RTP and is neither RTP nor encrypted as RTP is. In a record of its own nobody
on the way sees it.
"""

from .confirmation_messages import HEADER_BYTES, WIRE_VERSION

KIND = 7
"""The second byte of the record that carries one packet, beside the kinds of the confirmation."""

SMALLEST_BYTES = 28
"""Header of 12 bytes, the shortest message (12), CRC (4)."""

LARGEST_BYTES = 1_200
"""More than any message of RFC 6189 needs (a DHPart of DH-4096: 600), and little enough for one record."""

_FIRST_BYTES = b"\x10\x00"
_MAGIC_COOKIE = b"ZRTP"
_LAST_MESSAGE = b"Conf2ACK"
_HEADER = bytes((WIRE_VERSION, KIND))


def is_zrtp(packet: bytes) -> bool:
    """Tell whether a packet from a phone is ZRTP, by its fixed bits, its cookie and its length."""
    return (
        packet[:2] == _FIRST_BYTES
        and packet[4:8] == _MAGIC_COOKIE
        and SMALLEST_BYTES <= len(packet) <= LARGEST_BYTES
    )


def is_last(packet: bytes) -> bool:
    """Tell whether a ZRTP packet says that both phones have their keys: Conf2ACK (RFC 6189 section 5.8)."""
    return packet[16:24] == _LAST_MESSAGE


def carry(packet: bytes) -> bytes:
    """Return the record that carries a ZRTP packet."""
    return _HEADER + len(packet).to_bytes(2) + packet


def carried(data: bytes) -> bytes | None:
    """Return the ZRTP packet in a record; None when it is another kind of record, or holds no such packet whole."""
    packet = data[HEADER_BYTES:]
    if data[:2] != _HEADER or int.from_bytes(data[2:4]) != len(packet) or not is_zrtp(packet):
        return None
    return packet
