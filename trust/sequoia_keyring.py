"""The user's key in one file of our own, for machines without GnuPG."""

from collections.abc import Callable
from pathlib import Path

import pysequoia

from .errors import KeyringError
from .keyring import KeyInfo
from .openpgp import KeyVerifier, smallest
from .own_file import OwnFile
from .ports import Store
from .sequoia_decryption import Decryption
from .writer_lock import writer_lock

KEY_FILE = "openpgp.key"


class SequoiaKeyring:
    """A `trust.keyring.Keyring` in process: an Ed25519 primary key, a signing and an encryption subkey."""

    def __init__(self, secret: pysequoia.Tsk, public: Callable[[bytes], bytes] = smallest) -> None:
        self._secret = secret
        self._public = public(bytes(secret.extract_certificate()))
        self._verifier = KeyVerifier()
        self._decryption = Decryption(bytes(secret))
        self.fingerprint = secret.extract_certificate().fingerprint.upper()

    async def sign(self, data: bytes) -> bytes:
        """Return a detached binary signature."""
        try:
            return pysequoia.sign(
                self._secret.signer(), data, mode=pysequoia.SignatureMode.DETACHED, armor=False
            )
        except RuntimeError as error:
            raise KeyringError(f"The OpenPGP key cannot sign: {_first_line(error)}.") from None

    async def decrypt(self, message: bytes) -> bytes:
        """See `trust.keyring.Keyring.decrypt`."""
        return await self._decryption.decrypt(message)

    async def encrypt_to(self, key: bytes, data: bytes) -> bytes:
        """See `trust.keyring.Verifier.encrypt_to`."""
        return await self._verifier.encrypt_to(key, data)

    async def export(self) -> bytes:
        """Return the own public key, binary."""
        return self._public

    async def verify(self, data: bytes, signature: bytes, key: bytes) -> str:
        """See `trust.keyring.Verifier.verify`."""
        return await self._verifier.verify(data, signature, key)

    async def inspect(self, key: bytes) -> KeyInfo:
        """See `trust.keyring.Verifier.inspect`."""
        return await self._verifier.inspect(key)

    async def aclose(self) -> None:
        """Nothing was started."""


def passing_keyring(user_id: str) -> SequoiaKeyring:
    """Return a keyring with a fresh key that is kept in memory alone."""
    return SequoiaKeyring(_fresh(user_id))


async def open_sequoia_keyring(home: Path, user_id: str, *, store: Store | None = None) -> SequoiaKeyring:
    """Load the key from ``store`` (``home``/openpgp.key by default), or make it.

    Raises:
        KeyringError: there is something else in the file.
    """
    path = home / KEY_FILE
    file: Store = store or OwnFile(path)
    async with writer_lock(home / f".{KEY_FILE}.lock"):
        kept = file.load()
        if kept is None:
            secret = _fresh(user_id)
            file.save(bytes(secret))
            return SequoiaKeyring(secret)
    try:
        return SequoiaKeyring(pysequoia.Tsk.from_bytes(kept))
    except RuntimeError as error:
        raise KeyringError(
            f"{path} is damaged ({_first_line(error)}). Restore it from a copy, "
            "or remove it to begin with a new key: then tell everybody who knows you."
        ) from None


def _fresh(user_id: str) -> pysequoia.Tsk:
    return pysequoia.Tsk.generate(user_id=user_id, profile=pysequoia.Profile.RFC4880)


def _first_line(error: Exception) -> str:
    """Return what pysequoia says, without its stack trace."""
    return str(error).partition("\n")[0].rstrip(".")
