"""Sealed blobs: what belongs to a name, readable only by those who know the name.

A user's OpenPGP key carries their name in its user id. In the clear it would tell a crawler what sealed claims hide.
AES-SIV (RFC 5297) needs no nonce: the same key under the same name gives the same bytes, and so the same hash, at each
start; and unlike a hash of the text for a nonce, it tells nothing to somebody who has the text already.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .errors import WireError

KEY_BYTES = 64
OVERHEAD_BYTES = 16


def seal_blob(uri: str, data: bytes) -> bytes:
    """Return ``data``, which must not be empty, sealed for who knows the canonical ``uri``; 16 bytes longer."""
    return AESSIV(_key(uri)).encrypt(data, None)


def unseal_blob(uri: str, sealed: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        WireError: sealed for another URI, or altered.
    """
    try:
        return AESSIV(_key(uri)).decrypt(sealed, None)
    except (InvalidTag, ValueError) as error:
        raise WireError("a blob sealed for another name") from error


def _key(uri: str) -> bytes:
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"freecall/blob/seal/1").derive(uri.encode())
