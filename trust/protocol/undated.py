"""Did this key make this signature, whatever the clocks say?

OpenPGP libraries refuse signatures from the future and keys that do not exist yet: right, where clocks are. Where they
are not (a laptop that woke up in 1970), this tells a wrong clock from a forgery. It knows Ed25519 keys of version 4, as
the program makes them (RFC 9580 sections 5.2.4 and 5.5.4).
"""

import hashlib
from collections.abc import Iterator
from itertools import pairwise

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .compact_signature import digest, parts, points
from .errors import BadSignature
from .packets import PUBLIC_KEY, PUBLIC_SUBKEY, SIGNATURE, Packet, check_public_key

BINARY, SUBKEY_BINDING = 0x00, 0x18
REVOCATIONS = (0x20, 0x28)
MAY_SIGN = 0x02
_KEY_FLAGS = 27
_EDDSA = 22
_HEAD_BYTES = 6
_ED25519 = bytes([_EDDSA, 9]) + b"\x2b\x06\x01\x04\x01\xda\x47\x0f\x01" + b"\x01\x07\x40"
_POINT_AT = 5 + len(_ED25519)


def signer(data: bytes, signature: bytes, key: bytes) -> str | None:
    """Return the primary fingerprint of ``key`` if it, or a signing subkey of it, signed ``data``, by any calendar.

    None also for keys that are revoked, wholly or in part, and for those that are not Ed25519.

    Raises:
        BadKey, BadSignature: malformed.
    """
    packets = check_public_key(key)
    revoked = any(packet.tag == SIGNATURE and packet.body[1:2] in _types(REVOCATIONS) for packet in packets)
    if revoked or not any(_signed(point, BINARY, data, signature) for point in _signing_points(packets)):
        return None
    return _fingerprint(packets[0])


def fingerprints(key: bytes) -> list[str]:
    """Return the fingerprint of the primary key, then those of its subkeys.

    Raises:
        BadKey: malformed.
    """
    return [
        _fingerprint(packet) for packet in check_public_key(key) if packet.tag in (PUBLIC_KEY, PUBLIC_SUBKEY)
    ]


def _types(kinds: tuple[int, ...]) -> list[bytes]:
    return [bytes([kind]) for kind in kinds]


def _signing_points(packets: list[Packet]) -> Iterator[bytes]:
    """Yield the primary key, and each subkey that it lets sign."""
    primary = packets[0]
    if (own := _point(primary)) is None:
        return
    yield own
    for subkey, binding in pairwise(packets):
        if subkey.tag != PUBLIC_SUBKEY or binding.tag != SIGNATURE or (point := _point(subkey)) is None:
            continue
        if _may_sign(binding) and _signed(
            own, SUBKEY_BINDING, _framed(primary) + _framed(subkey), binding.raw
        ):
            yield point


def _signed(point: bytes, kind: int, data: bytes, signature: bytes) -> bool:
    try:
        head, numbers = parts(signature)
        both = points(numbers)
        if both is None or head[1:3] != bytes([kind, _EDDSA]):
            return False
        Ed25519PublicKey.from_public_bytes(point).verify(both, digest(head, data))
    except (InvalidSignature, BadSignature, ValueError):
        return False
    return True


def _point(packet: Packet) -> bytes | None:
    point = packet.body[_POINT_AT:]
    return point if packet.body[5:_POINT_AT] == _ED25519 and len(point) == 32 else None


def _may_sign(binding: Packet) -> bool:
    """Tell whether the hashed subpackets say so; all lengths there are short."""
    head = parts(binding.raw)[0]
    at = _HEAD_BYTES
    while at + 2 < len(head):
        size, kind = head[at], head[at + 1] & 0x7F
        if size == 0 or size >= 192:
            return False
        if kind == _KEY_FLAGS:
            return bool(head[at + 2] & MAY_SIGN)
        at += 1 + size
    return False


def _fingerprint(packet: Packet) -> str:
    return hashlib.sha1(_framed(packet), usedforsecurity=False).hexdigest().upper()


def _framed(packet: Packet) -> bytes:
    """Return a key as it enters hashes."""
    return b"\x99" + len(packet.body).to_bytes(2, "big") + packet.body
