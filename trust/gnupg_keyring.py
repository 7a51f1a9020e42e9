"""The user's key in GnuPG, in a GNUPGHOME of our own below the data directory, through python-gnupg.

gpg is only asked to make, export and sign with the user's own key. Strangers' keys are checked in process
(`openpgp.py`) and never come near this keyring.
"""

import asyncio
import datetime
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, TypeVar

import gnupg

from .errors import KeyringError, Unreadable
from .keyring import KeyInfo
from .openpgp import KeyVerifier, last_self_signature, smallest, utc_now
from .own_file import OwnFile
from .ports import Store
from .protocol.packets import MAX_ENCRYPTED_BYTES, check_encrypted
from .short_home import ShortHome
from .writer_lock import writer_lock

HOME = "gnupg"
RECORD = "gnupg.fingerprint"
THREADS = 4
DEADLINE_SECONDS = 60.0
CLOSE_SECONDS = 5.0
ORPHAN_SECONDS = 1.0
BACKDATE_SECONDS = 86400
"""Keys and signatures are dated a day back: who checks them may have a clock that is behind ours."""

ANY_BYTES = "latin-1"
"""gpg's status lines hold a stranger's bytes as they are (the file name inside a letter): none may be an error."""

OPTIONS = ["--no-auto-check-trustdb", "--trust-model", "always"]
KEY_PARAMETERS = """\
%no-protection
Key-Type: eddsa
Key-Curve: ed25519
Key-Usage: sign,cert
Subkey-Type: ecdh
Subkey-Curve: cv25519
Subkey-Usage: encrypt
Name-Real: {name}
Name-Email: {address}
Creation-Date: seconds={created}
Expire-Date: 0
%commit
"""

_USER_ID = re.compile(r"([^<>\x00-\x1f\x7f]+) <([^<>\s\x00-\x1f\x7f]+)>")
logger = logging.getLogger(__name__)

_T = TypeVar("_T")


class GnuPGKeyring:
    """A `trust.keyring.Keyring` on gpg. Use `open_gnupg_keyring`."""

    def __init__(self, gpg: "Gpg", fingerprint: str, public: bytes) -> None:
        self._gpg = gpg
        self._public = public
        self._not_before = last_self_signature(public)
        self._verifier = KeyVerifier()
        self.fingerprint = fingerprint

    async def sign(self, data: bytes) -> bytes:
        """Return a detached binary signature."""
        made_at = max(self._not_before, int(utc_now().timestamp()) - BACKDATE_SECONDS)
        return await self._gpg.sign(data, self.fingerprint, made_at)

    async def decrypt(self, message: bytes) -> bytes:
        """See `trust.keyring.Keyring.decrypt`."""
        check_encrypted(message)
        return await self._gpg.decrypt(message)

    async def export(self) -> bytes:
        """Return the own public key, binary."""
        return self._public

    async def encrypt_to(self, key: bytes, data: bytes) -> bytes:
        """See `trust.keyring.Verifier.encrypt_to`."""
        return await self._verifier.encrypt_to(key, data)

    async def verify(self, data: bytes, signature: bytes, key: bytes) -> str:
        """See `trust.keyring.Verifier.verify`."""
        return await self._verifier.verify(data, signature, key)

    async def inspect(self, key: bytes) -> KeyInfo:
        """See `trust.keyring.Verifier.inspect`."""
        return await self._verifier.inspect(key)

    async def aclose(self) -> None:
        """End the agent of this keyring and let go of the threads."""
        await self._gpg.aclose()


class Gpg:
    """python-gnupg off the event loop: a few threads, each call with a deadline."""

    def __init__(self, home: Path) -> None:
        self._home = ShortHome(home)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="gpg")
        self._where = home
        self._gpg: Any = None

    async def open(self) -> None:
        """Find gpg and ask for its version.

        Raises:
            KeyringError: gpg is not installed, or does not work.
        """
        self._gpg = await self._call(
            lambda: gnupg.GPG(gnupghome=str(self._home.path), options=OPTIONS, encoding=ANY_BYTES)
        )

    async def secret_keys(self) -> list[str]:
        """Return the primary fingerprints of all keys that can sign here, the oldest first."""
        keys = await self._call(lambda: self._gpg.list_keys(secret=True))
        return [
            key["fingerprint"] for key in sorted(keys, key=lambda key: (int(key["date"]), key["fingerprint"]))
        ]

    async def generate(self, user_id: str) -> str:
        """Make a key without passphrase and return its primary fingerprint."""
        match = _USER_ID.fullmatch(user_id)
        if match is None:
            raise KeyringError(
                f"{user_id!r} cannot be the user id of a key; it must be like 'name <address>'."
            )
        created = (utc_now() - datetime.timedelta(seconds=BACKDATE_SECONDS)).strftime("%Y%m%dT%H%M%S")
        parameters = KEY_PARAMETERS.format(name=match[1], address=match[2], created=created)
        result = await self._call(lambda: self._gpg.gen_key(parameters.encode()))
        if not result.fingerprint:
            raise self._error("could not make a key", result)
        return str(result.fingerprint)

    async def export(self, fingerprint: str) -> bytes:
        """Return one public key, binary, with self-signatures only."""
        result = await self._call(lambda: self._gpg.export_keys(fingerprint, armor=False, minimal=True))
        return bytes(result)

    async def sign(self, data: bytes, fingerprint: str, made_at: int) -> bytes:
        """Return a detached binary signature dated ``made_at`` (Unix seconds)."""
        options = ["--faked-system-time", f"{made_at}!", "--ignore-time-conflict"]
        result = await self._call(
            lambda: self._gpg.sign(
                data, keyid=fingerprint, detach=True, binary=True, clearsign=False, extra_args=options
            )
        )
        if not result.data:
            raise self._error("could not sign", result)
        return bytes(result.data)

    async def decrypt(self, message: bytes) -> bytes:
        """Return what is in ``message``. gpg stops at the limit: a small message can unpack to gigabytes."""
        options = ["--max-output", str(MAX_ENCRYPTED_BYTES)]
        result = await self._call(lambda: self._gpg.decrypt(message, extra_args=options))
        if not result.ok or result.returncode != 0 or len(result.data) > MAX_ENCRYPTED_BYTES:
            raise Unreadable("it is not encrypted to this key, or damaged, or too large inside")
        return bytes(result.data)

    async def aclose(self) -> None:
        """End the agent that serves this home; calls under way end with it.

        Where another program is just writing to this keyring, the agent is theirs now and goes on.
        """
        try:
            async with self.writing(CLOSE_SECONDS):
                await asyncio.to_thread(self._end_agent)
        except KeyringError:
            logger.info("the OpenPGP agent goes on: another program uses the keyring")
        finally:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._home.close()

    def writing(self, deadline_seconds: float = DEADLINE_SECONDS) -> AbstractAsyncContextManager[None]:
        """Hold off every other writer of this keyring."""
        return writer_lock(self._where.with_name(f".{self._where.name}.lock"), deadline_seconds)

    def _end_agent(self) -> None:
        gpgconf = shutil.which("gpgconf")
        if gpgconf is None:
            return
        subprocess.run(  # noqa: S603 - the program gpgconf, with our own folder as its only variable argument
            [gpgconf, "--homedir", str(self._home.path), "--kill", "gpg-agent"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10,
            check=False,
        )

    async def _call(self, work: Callable[[], _T]) -> _T:
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError:
            raise KeyringError(
                f"gpg has not answered for {DEADLINE_SECONDS:.0f} seconds ({self._where})."
            ) from None
        except (OSError, ValueError) as error:
            raise KeyringError(f"gpg could not be run ({error}). Install it: apt install gnupg.") from error

    def _error(self, what: str, result: Any) -> KeyringError:
        told = result.stderr.encode(ANY_BYTES).decode("utf-8", "replace")
        lines = [line for line in told.splitlines() if line.startswith("gpg:")]
        why = lines[-1] if lines else result.status or "gpg gave no reason"
        return KeyringError(f"GnuPG in {self._where} {what}: {why}")


async def open_gnupg_keyring(home: Path, user_id: str, *, store: Store | None = None) -> GnuPGKeyring:
    """Open the keyring in ``home``/gnupg; make the key when there is none.

    ``store`` (``home``/gnupg.fingerprint by default) holds the fingerprint of the key in use, so that
    neither an interrupted start nor another key in the same keyring changes who the user is.

    Raises:
        KeyringError: gpg is missing or refuses, or the key that was used before is gone.
    """
    record: Store = store or OwnFile(home / RECORD)
    folder = home / HOME
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    gpg = Gpg(folder)
    try:
        await gpg.open()
        async with gpg.writing():
            fingerprint = await _own_key(gpg, record, user_id, folder)
        public = smallest(await gpg.export(fingerprint))
        return GnuPGKeyring(gpg, fingerprint, public)
    except BaseException:
        await gpg.aclose()
        raise


async def _own_key(gpg: Gpg, record: Store, user_id: str, folder: Path) -> str:
    recorded = (record.load() or b"").decode("ascii", "replace").strip()
    present = await gpg.secret_keys()
    if recorded:
        if recorded not in present:
            raise KeyringError(
                f"Your OpenPGP key {recorded} is no longer in {folder}. Restore that folder from a copy, or "
                f"remove {folder.with_name(RECORD)} to begin with a new key: then tell all who know you."
            )
        return recorded
    fingerprint = present[0] if present else await _new_key(gpg, user_id)
    record.save(fingerprint.encode() + b"\n")
    return fingerprint


async def _new_key(gpg: Gpg, user_id: str) -> str:
    """Make a key. A gpg that outlived a killed start may be writing too, and then one of both fails: look again."""
    try:
        return await gpg.generate(user_id)
    except KeyringError:
        await asyncio.sleep(ORPHAN_SECONDS)
        present = await gpg.secret_keys()
        return present[0] if present else await gpg.generate(user_id)


def is_installed() -> bool:
    """True when gpg can be found."""
    return shutil.which("gpg") is not None


def holds_a_key(home: Path) -> bool:
    """True when a key of this keyring is in use in the data directory ``home``."""
    return os.path.lexists(home / RECORD)
