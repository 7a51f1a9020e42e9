"""Signatures over small documents that travel far: short, and not undone by a wrong clock."""

import base64
import binascii
from dataclasses import dataclass

import pysequoia

from .errors import BadKey, BadSignature
from .keyring import Keyring, Verifier
from .protocol.compact_signature import compact, expand
from .protocol.undated import fingerprints, signer

__all__ = ["Signer", "check_short", "fingerprints", "issuer", "read_key", "sign_short"]


@dataclass(frozen=True)
class Signer:
    """Who signed: the primary fingerprint. ``doubt`` is a reason about dates, that speaks against it on this clock."""

    fingerprint: str
    doubt: str = ""


async def sign_short(keyring: Keyring, data: bytes) -> bytes:
    """Return a signature over ``data`` in its shortest form.

    Raises:
        KeyringError: the key cannot sign now.
    """
    return compact(await keyring.sign(data), data)


async def check_short(verifier: Verifier, data: bytes, short: bytes, key: bytes) -> Signer:
    """Return who signed ``data``. A date that looks wrong is told, and is no reason to refuse.

    Raises:
        BadKey: ``key`` cannot be used: malformed or revoked.
        BadSignature: the signature is not by ``key`` over ``data``.
    """
    signature = expand(short, data)
    try:
        return Signer(await verifier.verify(data, signature, key))
    except (BadKey, BadSignature) as error:
        fingerprint = signer(data, signature, key)
        if fingerprint is None:
            raise
        return Signer(fingerprint, str(error))


def issuer(short: bytes, data: bytes) -> str:
    """Return the fingerprint of the key or subkey that a short signature over ``data`` names; empty for none.

    Raises:
        BadSignature: it is malformed.
    """
    signature = expand(short, data)
    try:
        return (pysequoia.Sig.from_bytes(signature).issuer_fingerprint or "").upper()
    except RuntimeError:
        raise BadSignature("it is malformed") from None


def read_key(data: bytes) -> bytes:
    """Return the binary form of a public key, which may come in ASCII armour (RFC 9580 section 6.2).

    Raises:
        BadKey: malformed.
    """
    if data.lstrip().startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----"):
        _, _, rest = data.replace(b"\r", b"").partition(b"\n\n")
        lines = rest.partition(b"\n-----END")[0].split(b"\n")
        try:
            data = base64.b64decode(
                b"".join(line for line in lines if not line.startswith(b"=")), validate=True
            )
        except binascii.Error:
            raise BadKey("it is malformed") from None
    fingerprints(data)
    return data
