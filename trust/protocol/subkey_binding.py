"""Binding subkeys to a primary key whose secret is elsewhere, in an agent or on a card (RFC 9580 section 5.2.4).

What is hashed is put together here, the primary key signs the hash wherever it is, and its answer, an S-expression of
libgcrypt, becomes the signature packet. So nobody's keyring has to be written to.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .errors import BadSignature
from .packets import PUBLIC_SUBKEY, SIGNATURE, Packet

SECRET_SUBKEY = 7
SUBKEY_BINDING, PRIMARY_KEY_BINDING = 0x18, 0x19
MAY_SIGN, MAY_ENCRYPT = 0x02, 0x0C
RSA, ECDSA, EDDSA = 1, 19, 22
_SHA256, _SHA512 = 8, 10
HASH_NAMES = {_SHA256: "sha256", _SHA512: "sha512"}
_P256 = b"\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"
_CREATED, _KEY_EXPIRES, _ISSUER_ID, _KEY_FLAGS, _EMBEDDED, _ISSUER = 2, 9, 16, 27, 32, 33
_NUMBERS = {RSA: (b"s",), ECDSA: (b"r", b"s"), EDDSA: (b"r", b"s")}
_MAX_ITEMS = 40


@dataclass(frozen=True)
class Subkey:
    """A subkey of our own: the bodies of its public and its secret packet (version 4, no passphrase)."""

    public: bytes
    secret: bytes = field(repr=False)

    def at(self, created: int) -> "Subkey":
        """Return the same subkey, made at ``created`` (Unix seconds)."""
        date = created.to_bytes(4, "big")
        return Subkey(self.public[:1] + date + self.public[5:], self.secret[:1] + date + self.secret[5:])

    @property
    def created(self) -> int:
        """When it was made, in Unix seconds."""
        return int.from_bytes(self.public[1:5], "big")

    def sign(self, digest: bytes) -> bytes:
        """Return the numbers of an Ed25519 signature over ``digest`` as they stand in a packet."""
        number = self.secret[len(self.public) + 1 :]  # one octet: no passphrase
        size = (int.from_bytes(number[:2], "big") + 7) // 8
        key = Ed25519PrivateKey.from_private_bytes(number[2 : 2 + size].rjust(32, b"\0"))
        signed = key.sign(digest)
        return _mpi(signed[:32]) + _mpi(signed[32:])


@dataclass(frozen=True)
class Binding:
    """A signature in the making, by which ``primary`` (the body of its packet) takes ``subkey`` as its own.

    ``flags`` is `MAY_SIGN` or `MAY_ENCRYPT`; ``made`` is in Unix seconds, ``lifetime`` in seconds from when the
    subkey was made.
    """

    primary: bytes
    subkey: Subkey
    flags: int
    made: int
    lifetime: int

    @property
    def digest(self) -> bytes:
        """What the primary key has to sign, by its `algorithm`."""
        return _digest(self._hash, _framed(self.primary) + _framed(self.subkey.public), self._head)

    @property
    def hash_name(self) -> str:
        """The hash behind `digest`, in the agent's words."""
        return HASH_NAMES[self._hash]

    @property
    def algorithm(self) -> int:
        """The algorithm of the primary key (RFC 9580 section 9.1)."""
        return self.primary[5]

    def packet(self, answer: bytes) -> bytes:
        """Return the signature packet around the agent's ``answer``.

        Raises:
            BadSignature: the answer is no signature of this algorithm.
        """
        values = dict(_pairs(answer))
        try:
            numbers = b"".join(_mpi(values[name]) for name in _NUMBERS[self.algorithm])
        except KeyError:
            raise BadSignature("the agent's answer is of another kind") from None
        return _packet(SIGNATURE, self._head + _unhashed(self.primary) + self.digest[:2] + numbers)

    @property
    def _hash(self) -> int:
        return _SHA256 if self.primary[6:].startswith(_P256) else _SHA512

    @property
    def _head(self) -> bytes:
        area = _subpacket(_CREATED, self.made.to_bytes(4, "big"))
        area += _subpacket(_KEY_EXPIRES, self.lifetime.to_bytes(4, "big"))
        area += _subpacket(_KEY_FLAGS, bytes([self.flags]))
        area += _subpacket(_ISSUER, b"\x04" + fingerprint(self.primary))
        if self.flags == MAY_SIGN:
            area += _subpacket(_EMBEDDED, self._back_signature())
        return _head(SUBKEY_BINDING, self.algorithm, self._hash, area)

    def _back_signature(self) -> bytes:
        """The subkey says that it belongs to the primary key: else anybody could take it as theirs."""
        area = _subpacket(_CREATED, self.made.to_bytes(4, "big"))
        area += _subpacket(_ISSUER, b"\x04" + fingerprint(self.subkey.public))
        head = _head(PRIMARY_KEY_BINDING, EDDSA, _SHA512, area)
        digest = _digest(_SHA512, _framed(self.primary) + _framed(self.subkey.public), head)
        return head + _unhashed(self.subkey.public) + digest[:2] + self.subkey.sign(digest)


def fingerprint(body: bytes) -> bytes:
    """Return the fingerprint of the version 4 key whose packet has this body."""
    return hashlib.sha1(_framed(body), usedforsecurity=False).digest()


def public_packet(subkey: Subkey) -> bytes:
    """Return the packet that others see."""
    return _packet(PUBLIC_SUBKEY, subkey.public)


def secret_packet(subkey: Subkey) -> bytes:
    """Return the packet to keep."""
    return _packet(SECRET_SUBKEY, subkey.secret)


def subkeys(public: list[Packet], secret: list[Packet]) -> list[Subkey]:
    """Return the subkeys of a key of our own, read from its public and its secret form."""
    bodies = (
        [p.body for p in public if p.tag == PUBLIC_SUBKEY],
        [p.body for p in secret if p.tag == SECRET_SUBKEY],
    )
    return [Subkey(*both) for both in zip(*bodies, strict=True)]


def _pairs(answer: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield each ``(name value)`` of a canonical S-expression."""
    items: list[bytes] = []
    at = 0
    while at < len(answer) and len(items) < _MAX_ITEMS:
        if answer[at : at + 1] in b"()":
            items.append(answer[at : at + 1])
            at += 1
            continue
        size, colon, _ = answer[at : at + 6].partition(b":")
        if not colon or not size.isdigit():
            raise BadSignature("the agent's answer is malformed")
        start = at + len(size) + 1
        at = start + int(size)
        items.append(answer[start - 1 : at])  # with the colon: no value is taken for a bracket
    for opening, name, value, closing in zip(items, items[1:], items[2:], items[3:], strict=False):
        if (opening, closing) == (b"(", b")"):
            yield name[1:], value[1:]


def _digest(kind: int, data: bytes, head: bytes) -> bytes:
    return hashlib.new(HASH_NAMES[kind], data + head + b"\x04\xff" + len(head).to_bytes(4, "big")).digest()


def _head(kind: int, algorithm: int, hash_algorithm: int, area: bytes) -> bytes:
    return bytes([4, kind, algorithm, hash_algorithm]) + len(area).to_bytes(2, "big") + area


def _unhashed(issuer: bytes) -> bytes:
    """Return the unhashed area: gpg 2.2 finds the issuer by its key id alone."""
    area = _subpacket(_ISSUER_ID, fingerprint(issuer)[-8:])
    return len(area).to_bytes(2, "big") + area


def _subpacket(kind: int, value: bytes) -> bytes:
    size = 1 + len(value)
    assert size < 192, "longer lengths are written in another way"
    return bytes([size, kind]) + value


def _framed(body: bytes) -> bytes:
    return b"\x99" + len(body).to_bytes(2, "big") + body


def _packet(tag: int, body: bytes) -> bytes:
    size = len(body)
    if size < 192:
        return bytes([0xC0 | tag, size]) + body
    return bytes([0xC0 | tag, 192 + ((size - 192) >> 8), (size - 192) & 0xFF]) + body


def _mpi(value: bytes) -> bytes:
    number = int.from_bytes(value, "big")
    bits = number.bit_length()
    return bits.to_bytes(2, "big") + number.to_bytes((bits + 7) // 8, "big")
