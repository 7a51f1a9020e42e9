"""The confirmation of one call: each side's OpenPGP signature over role and session hash."""

from typing import Literal

from .errors import BadKey, BadSignature, SignatureRefused
from .keyring import Keyring, Verifier
from .protocol.statement import statement as _statement

__all__ = ["PURPOSE", "Role", "SignatureRefused", "sign", "statement", "verify"]

PURPOSE = b"freecall-confirmation-1"
SESSION_HASH_BYTES = 32

Role = Literal["caller", "callee"]


def statement(role: Role, session_hash: bytes) -> bytes:
    """Return what the side with ``role`` signs; ``session_hash`` is 32 bytes.

    Raises:
        ValueError: unknown role, or a hash of another length.
    """
    if role not in ("caller", "callee"):
        raise ValueError(f"unknown role {role!r}")
    if len(session_hash) != SESSION_HASH_BYTES:
        raise ValueError("a session hash is 32 bytes long")
    return _statement(PURPOSE, role.encode(), session_hash)


async def sign(keyring: Keyring, role: Role, session_hash: bytes) -> bytes:
    """Return our detached binary signature for the call.

    Raises:
        KeyringError: the key cannot sign now.
    """
    return await keyring.sign(statement(role, session_hash))


async def verify(
    verifier: Verifier, role: Role, session_hash: bytes, signature: bytes, *, key: bytes, fingerprint: str
) -> None:
    """Make sure that the peer, whose role is ``role``, signed *our* session hash with the key we expect.

    Raises:
        SignatureRefused: anything else. The call must end.
    """
    try:
        signer = await verifier.verify(statement(role, session_hash), signature, key)
    except (BadKey, BadSignature) as error:
        raise SignatureRefused(f"The other side could not prove who it is. {error}") from error
    if signer != fingerprint:
        raise SignatureRefused(
            "The other side signed with another key than the one that this call was made to."
        )
