"""OpenPGP packet framing (RFC 9580 section 4.2): enough to bound hostile keys before they are parsed.

Only what a transferable public key and a detached signature are made of is let through: in particular no
compressed packets, which could unpack to anything, no secret keys, and no partial lengths.
"""

from dataclasses import dataclass

from .errors import BadKey, BadSignature, Unreadable

MAX_KEY_BYTES = 8192
MAX_KEY_PACKETS = 40
MAX_SIGNATURE_BYTES = 2048
MAX_ENCRYPTED_BYTES = 20 * 1024
MAX_RECIPIENTS = 4

SESSION_KEY = 1
SIGNATURE = 2
PUBLIC_KEY = 6
USER_ID = 13
PUBLIC_SUBKEY = 14
USER_ATTRIBUTE = 17
ENCRYPTED = 18
_OF_A_KEY = {SIGNATURE, PUBLIC_KEY, USER_ID, PUBLIC_SUBKEY, USER_ATTRIBUTE}


@dataclass(frozen=True)
class Packet:
    """One packet: its type, its body, and all its bytes as they came."""

    tag: int
    body: bytes
    raw: bytes


def split(data: bytes) -> list[Packet]:
    """Return the packets that ``data`` consists of.

    Raises:
        ValueError: it is not a row of whole packets of definite length.
    """
    packets = []
    position = 0
    while position < len(data):
        tag, start, length = _header(data, position)
        end = start + length
        if end > len(data):
            raise ValueError("a packet is cut off")
        packets.append(Packet(tag, data[start:end], data[position:end]))
        position = end
    return packets


def _header(data: bytes, position: int) -> tuple[int, int, int]:
    """Return the type, the position of the body and its length."""
    first = data[position]
    if not first & 0x80:
        raise ValueError("not a binary packet")
    if first & 0x40:
        start, length = _new_length(data, position + 1)
        return first & 0x3F, start, length
    kind = first & 0x03
    if kind == 3:
        raise ValueError("a packet of indeterminate length")
    size = 1 << kind
    return (first >> 2) & 0x0F, position + 1 + size, _number(data, position + 1, size)


def _new_length(data: bytes, position: int) -> tuple[int, int]:
    first = _number(data, position, 1)
    if first < 192:
        return position + 1, first
    if first < 224:
        return position + 2, ((first - 192) << 8) + _number(data, position + 1, 1) + 192
    if first == 255:
        return position + 5, _number(data, position + 1, 4)
    raise ValueError("a packet in parts")


def _number(data: bytes, position: int, size: int) -> int:
    if position + size > len(data):
        raise ValueError("a packet is cut off")
    return int.from_bytes(data[position : position + size], "big")


def check_public_key(key: bytes) -> list[Packet]:
    """Return the packets of a single version 4 transferable public key of reasonable size.

    Raises:
        BadKey: it is something else.
    """
    if len(key) > MAX_KEY_BYTES:
        raise BadKey(f"it is larger than {MAX_KEY_BYTES} bytes")
    try:
        packets = split(key)
    except ValueError as error:
        raise BadKey("it is malformed") from error
    if not packets or packets[0].tag != PUBLIC_KEY or len(packets) > MAX_KEY_PACKETS:
        raise BadKey("it is not a public key")
    if any(packet.tag not in _OF_A_KEY for packet in packets):
        raise BadKey("it holds more than a public key")
    if sum(packet.tag == PUBLIC_KEY for packet in packets) != 1:
        raise BadKey("it is several keys, and one is expected")
    if len(packets[0].body) < 6 or packets[0].body[0] != 4:
        raise BadKey("it is not an OpenPGP key of version 4")
    return packets


def created(packets: list[Packet]) -> int:
    """Return when the primary key says it was made, in Unix seconds."""
    return int.from_bytes(packets[0].body[1:5], "big")


def check_signature(signature: bytes) -> None:
    """Make sure that ``signature`` is one signature packet of reasonable size.

    Raises:
        BadSignature: it is something else.
    """
    if len(signature) > MAX_SIGNATURE_BYTES:
        raise BadSignature(f"it is larger than {MAX_SIGNATURE_BYTES} bytes")
    try:
        packets = split(signature)
    except ValueError as error:
        raise BadSignature("it is malformed") from error
    if [packet.tag for packet in packets] != [SIGNATURE]:
        raise BadSignature("it is not one detached signature")


def check_encrypted(data: bytes) -> None:
    """Make sure that ``data`` is one message encrypted to public keys, integrity protected, of reasonable size.

    No passwords, so that nobody is asked for one.

    Raises:
        Unreadable: it is something else.
    """
    if len(data) > MAX_ENCRYPTED_BYTES:
        raise Unreadable(f"it is larger than {MAX_ENCRYPTED_BYTES} bytes")
    try:
        tags = [packet.tag for packet in split(data)]
    except ValueError as error:
        raise Unreadable("it is malformed") from error
    recipients = len(tags) - 1
    if not 1 <= recipients <= MAX_RECIPIENTS or tags != [SESSION_KEY] * recipients + [ENCRYPTED]:
        raise Unreadable("it is not an encrypted message")
