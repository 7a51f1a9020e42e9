"""The user's OpenPGP key behind one small interface, in GnuPG or embedded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from .errors import BadKey, BadSignature, KeyringError, Unreadable

__all__ = [
    "Backend",
    "BadKey",
    "BadSignature",
    "KeyInfo",
    "Keyring",
    "KeyringError",
    "Unreadable",
    "Verifier",
    "open_keyring",
]

Backend = Literal["auto", "gnupg", "sequoia"]


@dataclass(frozen=True)
class KeyInfo:
    """What a transferable public key says of itself. ``fingerprint`` is the primary key's."""

    fingerprint: str
    user_ids: tuple[str, ...]
    expired: bool
    revoked: bool


class Verifier(Protocol):
    """Checks what strangers sign. Their keys are used for one check and kept nowhere."""

    async def verify(self, data: bytes, signature: bytes, key: bytes) -> str:
        """Return the primary fingerprint of ``key`` when it made ``signature`` over ``data``.

        ``signature`` is detached and binary, ``key`` is one binary transferable public key.

        Raises:
            BadKey: ``key`` is not one usable public key: malformed, several, expired, revoked, too large.
            BadSignature: the signature is malformed, or not by this key over this data.
        """
        ...

    async def inspect(self, key: bytes) -> KeyInfo:
        """Return what ``key`` says of itself; expired and revoked keys are described, not refused.

        Raises:
            BadKey: ``key`` is not one well-formed transferable public key.
        """
        ...

    async def encrypt_to(self, key: bytes, data: bytes) -> bytes:
        """Return ``data`` as a binary OpenPGP message that only the owner of the public ``key`` can read, unsigned.

        Raises:
            BadKey: ``key`` is not one usable public key, or nothing can be encrypted to it.
        """
        ...


class Keyring(Verifier, Protocol):
    """The user's own key, and a verifier for others'."""

    @property
    def fingerprint(self) -> str:
        """The primary fingerprint: 40 upper-case hexadecimal characters."""
        ...

    async def sign(self, data: bytes) -> bytes:
        """Return a detached binary OpenPGP signature over ``data``.

        Raises:
            KeyringError: the key cannot sign now.
        """
        ...

    async def decrypt(self, message: bytes) -> bytes:
        """Return what somebody encrypted to this key: at most `MAX_ENCRYPTED_BYTES`, whoever wrote it.

        Raises:
            Unreadable: it is not encrypted to this key, damaged, or holds more than that.
            KeyringError: the key cannot be used now.
        """
        ...

    async def export(self) -> bytes:
        """Return the own public key, binary and as small as it can be."""
        ...

    async def aclose(self) -> None:
        """End what was started for this keyring, and nothing else."""
        ...


async def open_keyring(home: Path, user_id: str, *, backend: Backend = "auto") -> Keyring:
    """Open the keyring below the data directory ``home``; the first call makes the key.

    ``auto`` keeps to the backend that holds a key already, then prefers GnuPG where ``gpg`` is installed.
    A key that exists is used whatever its user id. Safe against concurrent starts and ``kill -9``.

    Raises:
        KeyringError: there is a key that cannot be used, or none can be made.
    """
    # GnuPG's adapter takes 30 ms to import, and whoever only checks signatures imports this module.
    from .backends import open_backend

    return await open_backend(home, user_id, backend)
