"""Detached signatures in their shortest form: for QR codes and for people who type.

What GnuPG and Sequoia write around an Ed25519 signature is always the same but for a time, a fingerprint and, with
Sequoia, a salt: 90 or 122 bytes say all, in place of 119 or 191. Any other signature is kept as it is, but for what no
hash covers (RFC 9580 section 5.2.3): so each signature has one form, and no bit of it can change unnoticed.
"""

import hashlib

from .errors import BadSignature
from .packets import SIGNATURE, check_signature, split

VERBATIM = 0
_HASHES = {8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}
_HASH_AT, _HASHED_AT = 3, 6
_POINT_BYTES = 32
_SIZES = {"hash": 1, "time": 4, "issuer": 20, "id": 8, "salt": 32}
_FORMS: dict[int, tuple[bytes | str, ...]] = {
    # Version 4, over bytes, EdDSA; then the hashed subpackets as each program writes them.
    1: (b"\x04\x00\x16", "hash", b"\x00\x1d\x16\x21\x04", "issuer", b"\x05\x02", "time"),
    2: (
        b"\x04\x00\x16",
        "hash",
        b"\x00\x6f\x05\x82",
        "time",
        b"\x09\x10",
        "id",  # the end of the issuer's fingerprint, so it is not kept twice
        b"\x47\x14\x00\x00\x00\x00\x00\x1e\x00\x20salt@notations.sequoia-pgp.org",
        "salt",
        b"\x16\x21\x04",
        "issuer",
    ),
}


def compact(signature: bytes, data: bytes) -> bytes:
    """Return the shortest form of a detached signature over ``data``.

    Raises:
        BadSignature: it is not one signature packet of version 4.
    """
    head, numbers = parts(signature)
    both = points(numbers)
    for kind, form in _FORMS.items():
        fields = _read(form, head)
        if fields is not None and both is not None:
            return bytes([kind]) + b"".join(fields[name] for name in _kept(form)) + both
    return bytes([VERBATIM]) + _packet(head, numbers, data)


def expand(short: bytes, data: bytes) -> bytes:
    """Return the signature packet that `compact` made short.

    Raises:
        BadSignature: it is no short form of a signature.
    """
    form = _FORMS.get(short[0]) if short else None
    if form is None:
        signature = short[1:]
    else:
        sizes = [_SIZES[name] for name in _kept(form)]
        if len(short) != 1 + sum(sizes) + 2 * _POINT_BYTES:
            raise BadSignature("it is malformed")
        fields, at = {}, 1
        for name, size in zip(_kept(form), sizes, strict=True):
            fields[name] = short[at : at + size]
            at += size
        fields["id"] = fields["issuer"][-_SIZES["id"] :]
        head = b"".join(part if isinstance(part, bytes) else fields[part] for part in form)
        signature = _packet(
            head, _mpi(short[at : at + _POINT_BYTES]) + _mpi(short[at + _POINT_BYTES :]), data
        )
    if compact(signature, data) != short:
        raise BadSignature("it is malformed")
    return signature


def parts(signature: bytes) -> tuple[bytes, bytes]:
    """Return the part of a signature that is hashed, and the numbers at its end.

    Raises:
        BadSignature: it is not one signature packet of version 4.
    """
    check_signature(signature)
    body = split(signature)[0].body
    hashed_end = _HASHED_AT + int.from_bytes(body[_HASHED_AT - 2 : _HASHED_AT], "big")
    unhashed_end = hashed_end + 2 + int.from_bytes(body[hashed_end : hashed_end + 2], "big")
    numbers = body[unhashed_end + 2 :]
    if not numbers or body[0] != 4:
        raise BadSignature("it is malformed, or of a kind that is not known here")
    return body[:hashed_end], numbers


def digest(head: bytes, data: bytes) -> bytes:
    """Return what the key signs: the hash of ``data``, of the signature's ``head`` and of the latter's length.

    Raises:
        BadSignature: the hash is none that we know.
    """
    name = _HASHES.get(head[_HASH_AT])
    if name is None:
        raise BadSignature("its hash is not known here")
    return hashlib.new(name, data + head + b"\x04\xff" + len(head).to_bytes(4, "big")).digest()


def _packet(head: bytes, numbers: bytes, data: bytes) -> bytes:
    body = head + b"\x00\x00" + digest(head, data)[:2] + numbers
    return bytes([0xC0 | SIGNATURE]) + b"\xff" + len(body).to_bytes(4, "big") + body


def _kept(form: tuple[bytes | str, ...]) -> list[str]:
    return [part for part in form if isinstance(part, str) and part != "id"]


def _read(form: tuple[bytes | str, ...], head: bytes) -> dict[str, bytes] | None:
    """Return the fields of ``head`` when it is of this form."""
    fields: dict[str, bytes] = {}
    at = 0
    for part in form:
        size = len(part) if isinstance(part, bytes) else _SIZES[part]
        found = head[at : at + size]
        if isinstance(part, bytes):
            if found != part:
                return None
        else:
            fields[part] = found
        at += size
    is_whole = at == len(head) and fields.get("id", b"") in fields["issuer"][-_SIZES["id"] :]
    return fields if is_whole else None


def points(numbers: bytes) -> bytes | None:
    """Return the two numbers of an EdDSA signature, each in full length; None for other signatures."""
    both, at = b"", 0
    for _ in range(2):
        size = (int.from_bytes(numbers[at : at + 2], "big") + 7) // 8
        value = numbers[at + 2 : at + 2 + size]
        point = int.from_bytes(value, "big")
        if size > _POINT_BYTES or numbers[at : at + 2 + size] != _mpi(value):
            return None
        both += point.to_bytes(_POINT_BYTES, "big")
        at += 2 + size
    return both if at == len(numbers) else None


def _mpi(value: bytes) -> bytes:
    number = int.from_bytes(value, "big")
    bits = number.bit_length()
    return bits.to_bytes(2, "big") + number.to_bytes((bits + 7) // 8, "big")
