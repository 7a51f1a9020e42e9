"""Checking strangers' keys and signatures, in process: nothing is imported anywhere, nothing is written.

pysequoia does the cryptography for both keyrings. Before it sees a byte, `protocol.packets` has bounded the
input. What it raises carries a stack trace in its text, so our own sentences replace it.
"""

import datetime
import os
from collections.abc import Callable
from hashlib import sha256

import pysequoia
from pysequoia.packet import KeyFlags, Packet, PacketPile, SignatureType, Tag

from .errors import BadKey, BadSignature
from .keyring import KeyInfo
from .protocol import packets
from .protocol.packed_key import pack
from .protocol.undated import signer

os.environ.setdefault(
    "RUST_LIB_BACKTRACE", "0"
)  # with RUST_BACKTRACE=1 each bad signature costs 60 ms, not 0.15

MAX_EXPORT_BYTES = 950
"""A packed public key of this size still fits into one value of the overlay."""

FUTURE_SECONDS = 1800
"""How far ahead of ours the clock of whoever signed may be (Sequoia's own tolerance)."""


REMEMBERED = 256
"""So many good signatures are known again, by the hashes of text, signature and key."""

RELEASED = 1_795_392_000
"""2026-11-23 in Unix seconds. A clock that is before is wrong: this program did not exist then."""

WRONG_CLOCK = "it is dated in the future; one of the two computers' clocks is wrong"


def utc_now() -> datetime.datetime:
    """Return the time as this machine knows it."""
    return datetime.datetime.now(datetime.UTC)


class KeyVerifier:
    """A `trust.keyring.Verifier` without any keyring. One check takes about a tenth of a millisecond."""

    def __init__(self, clock: Callable[[], datetime.datetime] = utc_now) -> None:
        self._clock = clock
        self._checked: dict[tuple[int, bytes], str] = {}

    async def verify(self, data: bytes, signature: bytes, key: bytes) -> str:
        """Return the primary fingerprint of ``key`` when it made ``signature``; see `Verifier.verify`.

        In full once a minute: the same people's delegations are shown with every call.
        """
        now = self._clock()
        minute = int(now.timestamp()) // 60
        about = sha256(b"".join(sha256(part).digest() for part in (data, signature, key))).digest()
        fingerprint = self._checked.get((minute, about))
        if fingerprint is None:
            fingerprint = verify(data, signature, key, now)
            while len(self._checked) >= REMEMBERED:
                del self._checked[next(iter(self._checked))]
            self._checked[minute, about] = fingerprint
        return fingerprint

    async def inspect(self, key: bytes) -> KeyInfo:
        """Return what ``key`` says of itself; see `Verifier.inspect`."""
        return inspect(key, self._clock())

    async def encrypt_to(self, key: bytes, data: bytes) -> bytes:
        """Return ``data`` encrypted to ``key``; see `Verifier.encrypt_to`."""
        return encrypt_to(key, data, self._clock())


def inspect(key: bytes, now: datetime.datetime) -> KeyInfo:
    """Return what the transferable public key says of itself.

    Raises:
        BadKey: it is not one.
    """
    return _read_key(key, now)[1]


def verify(data: bytes, signature: bytes, key: bytes, now: datetime.datetime) -> str:
    """Return the primary fingerprint of ``key`` when it, or a signing subkey of it, signed ``data``.

    On a clock that is surely wrong (a laptop that woke up in 1970) dates are not judged: all others would be refused.

    Raises:
        BadKey: the key is malformed, several keys, expired or revoked.
        BadSignature: the signature is not by this key over these bytes.
    """
    if now.timestamp() < RELEASED:
        return _verify_undated(data, signature, key)
    certificate, info = _usable(key, now)
    sig, from_the_future = _read_signature(signature, now)
    try:
        result = pysequoia.verify(bytes=data, store=lambda _: [certificate], signature=sig)
        signers = {found.certificate.upper() for found in result.valid_sigs}
    except RuntimeError:
        # pysequoia reports all causes as one; a clock that is wrong is nobody's attack
        raise BadSignature(
            WRONG_CLOCK if from_the_future else "it is not by this key over this text"
        ) from None
    if signers != {info.fingerprint}:
        raise BadSignature("it was made by another key")
    return info.fingerprint


def encrypt_to(key: bytes, data: bytes, now: datetime.datetime) -> bytes:
    """Return ``data`` as a binary OpenPGP message for the owner of ``key``.

    Raises:
        BadKey: the key is malformed, expired, revoked, or has no encryption subkey.
    """
    certificate = _usable(key, now)[0]
    try:
        return pysequoia.encrypt(bytes=data, recipients=[certificate], armor=False)
    except RuntimeError:
        raise BadKey("nothing can be encrypted to it") from None


def _usable(key: bytes, now: datetime.datetime) -> tuple[pysequoia.Cert, KeyInfo]:
    certificate, info = _read_key(key, now)
    if info.revoked:
        raise BadKey("its owner has revoked it")
    if info.expired:
        raise BadKey("it has expired")
    return certificate, info


def _verify_undated(data: bytes, signature: bytes, key: bytes) -> str:
    fingerprint = signer(data, signature, key)
    if fingerprint is None:
        raise BadSignature("it is not by this key over this text, or the key is revoked")
    return fingerprint


def smallest(key: bytes) -> bytes:
    """Return our own public key, without what others can spare if it is larger than a value of the overlay.

    First the direct-key signatures go, if that changes nothing about expiry; then, if it is too large even packed, the
    encryption subkeys: nobody can leave a message for such a key.
    """
    if len(key) > MAX_EXPORT_BYTES:
        key = _without(key, _is_direct_key_signature)
    return _without(key, _is_encryption_binding) if len(pack(key)) > MAX_EXPORT_BYTES else key


def last_self_signature(key: bytes) -> int:
    """Return when our own public key took its present form, in Unix seconds: it cannot sign before."""
    made = [packet.signature_created for packet in PacketPile.from_bytes(key) if packet.tag == Tag.Signature]
    return max(int(moment.timestamp()) for moment in made if moment is not None)


def _read_key(key: bytes, now: datetime.datetime) -> tuple[pysequoia.Cert, KeyInfo]:
    """Parse a key and all that we ask of it. pysequoia decides late: each property may refuse the key."""
    made = packets.created(packets.check_public_key(key))
    try:
        certificate = pysequoia.Cert.from_bytes(key)
        expiration = certificate.expiration
        info = KeyInfo(
            fingerprint=certificate.fingerprint.upper(),
            user_ids=tuple(str(user_id) for user_id in certificate.user_ids),
            expired=expiration is not None and expiration <= now,
            revoked=certificate.is_revoked,
        )
    except RuntimeError:
        raise BadKey(WRONG_CLOCK if _is_future(made, now) else "it is malformed") from None
    return certificate, info


def _read_signature(signature: bytes, now: datetime.datetime) -> tuple[pysequoia.Sig, bool]:
    """Parse a signature; also tell whether it is dated further ahead than pysequoia accepts."""
    packets.check_signature(signature)
    try:
        sig = pysequoia.Sig.from_bytes(signature)
        kind, created = sig.signature_type, sig.created
    except RuntimeError:
        raise BadSignature("it is malformed") from None
    if kind != SignatureType.Binary:
        raise BadSignature("it is of another kind than a signature over bytes")
    return sig, created is not None and _is_future(created.timestamp(), now)


def _is_future(moment: float, now: datetime.datetime) -> bool:
    return moment > now.timestamp() + FUTURE_SECONDS


def _without(key: bytes, droppable: Callable[[Packet], bool]) -> bytes:
    kept: list[bytes] = []
    for packet in PacketPile.from_bytes(key):
        if packet.tag == Tag.Signature and droppable(packet):
            if packet.signature_type == SignatureType.SubkeyBinding:
                kept.pop()  # the subkey that this signature binds
            continue
        kept.append(bytes(packet))
    smaller = b"".join(kept)
    is_same = pysequoia.Cert.from_bytes(smaller).expiration == pysequoia.Cert.from_bytes(key).expiration
    return smaller if is_same else key


def _is_direct_key_signature(packet: Packet) -> bool:
    return packet.signature_type == SignatureType.DirectKey


def _is_encryption_binding(packet: Packet) -> bool:
    flags: KeyFlags | None = packet.key_flags
    if packet.signature_type != SignatureType.SubkeyBinding or flags is None:
        return False
    return (flags.transport_encryption or flags.storage_encryption) and not flags.signing
