"""Claims: who speaks for a URI. Stored under a hash of it, sealed with a key that only who knows it can make."""

import hashlib
from dataclasses import dataclass

import msgpack
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import WireError
from .nodeid import ID_BYTES, PUBLIC_KEY_BYTES, NodeId
from .record import unpack

VERSION = 1
FINGERPRINT_BYTES = 20
NONCE_BYTES = 12
MAX_DELEGATION_BYTES = 800


@dataclass(frozen=True)
class Claim:
    """A user's claim: OpenPGP fingerprint, node key, where the OpenPGP key lies, and the user's delegation (opaque)."""

    fingerprint: bytes
    node_public_key: bytes
    key_blob: bytes
    delegation: bytes

    def __post_init__(self) -> None:
        sizes = (len(self.fingerprint), len(self.node_public_key), len(self.key_blob))
        if (
            sizes != (FINGERPRINT_BYTES, PUBLIC_KEY_BYTES, ID_BYTES)
            or len(self.delegation) > MAX_DELEGATION_BYTES
        ):
            raise ValueError("a field of the claim has the wrong size")


def claim_target(uri: str) -> NodeId:
    """Return where claims under the canonical ``uri`` lie."""
    return NodeId(hashlib.sha256(b"claim" + uri.encode()).digest()[:ID_BYTES])


def seal(uri: str, claim: Claim, seq: int) -> bytes:
    """Return the claim's payload.

    The nonce is a hash of plaintext and ``seq``: equal only when all is equal, so no nonce serves two texts.
    """
    plain: bytes = msgpack.packb(
        [VERSION, claim.fingerprint, claim.node_public_key, claim.key_blob, claim.delegation]
    )
    nonce = hashlib.sha256(seq.to_bytes(8, "big") + plain).digest()[:NONCE_BYTES]
    return nonce + ChaCha20Poly1305(_key(uri)).encrypt(nonce, plain, claim_target(uri))


def unseal(uri: str, payload: bytes) -> Claim:
    """Open a claim's payload.

    Raises:
        WireError: sealed for another URI, altered, or malformed inside.
    """
    nonce, sealed = payload[:NONCE_BYTES], payload[NONCE_BYTES:]
    try:
        plain = ChaCha20Poly1305(_key(uri)).decrypt(nonce, sealed, claim_target(uri))
    except (InvalidTag, ValueError) as error:
        raise WireError("sealed for another name") from error
    fields = unpack(plain, most=5)
    if type(fields) is not list or len(fields) != 5 or type(fields[0]) is not int or fields[0] != VERSION:
        raise WireError("claim version")
    if not all(type(value) is bytes for value in fields[1:]):
        raise WireError("claim fields")
    try:
        return Claim(*fields[1:])
    except ValueError as error:
        raise WireError(str(error)) from error


def _key(uri: str) -> bytes:
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"freecall/claim/seal/1").derive(uri.encode())
