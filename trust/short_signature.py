"""Signatures over small documents that travel far: short, and not undone by a wrong clock."""

from dataclasses import dataclass

from .errors import BadKey, BadSignature
from .keyring import Keyring, Verifier
from .protocol.compact_signature import compact, expand
from .protocol.undated import signer

__all__ = ["Signer", "check_short", "sign_short"]


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
