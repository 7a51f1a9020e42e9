"""What the user's own GnuPG keyring makes of a key: its validity, as ``gpg --list-keys`` shows it. Read only."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from .errors import KeyringError
from .user_gpg import ListedKey, UserGpg

REREAD_SECONDS = 3600.0
FILES = ("pubring.kbx", "pubring.gpg", "public-keys.d/pubring.db", "trustdb.gpg", "tofu.db")


class WebOfTrust:
    """The keys of the user's keyring. The whole of it is read when its files change, and never because of a stranger.

    ``clock`` is monotonic: what expires in the keyring is seen after an hour at the latest.
    """

    def __init__(self, gpg: UserGpg, clock: Callable[[], float]) -> None:
        self._gpg = gpg
        self._clock = clock
        self._reading = asyncio.Lock()
        self._stamp: tuple[int, ...] = ()
        self._read_at = float("-inf")
        self._keys: dict[str, ListedKey] = {}

    async def key(self, fingerprint: str) -> ListedKey | None:
        """Return what the keyring says of the key with this primary fingerprint; None when it is not there.

        Raises:
            KeyringError: the keyring cannot be read.
        """
        async with self._reading:
            stamp = tuple(_changed(self._gpg.home / name) for name in FILES)
            if stamp != self._stamp or self._clock() - self._read_at > REREAD_SECONDS:
                self._keys = {key.fingerprint: key for key in await self._gpg.keys()}
                self._stamp, self._read_at = stamp, self._clock()
        return self._keys.get(fingerprint)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise KeyringError(f"{path} cannot be read ({error.strerror}).") from error
