"""Which keyring a data directory uses: the one that holds its key already, else GnuPG, else our own file."""

from pathlib import Path

from .errors import KeyringError
from .gnupg_keyring import holds_a_key, is_installed, open_gnupg_keyring
from .keyring import Backend, Keyring
from .sequoia_keyring import KEY_FILE, open_sequoia_keyring


async def open_backend(home: Path, user_id: str, backend: Backend) -> Keyring:
    """See `trust.keyring.open_keyring`."""
    if _is_embedded(home, backend):
        return await open_sequoia_keyring(home, user_id)
    if not is_installed():
        raise KeyringError(
            f"The OpenPGP key of {home} is kept by GnuPG, but gpg is missing: apt install gnupg."
        )
    return await open_gnupg_keyring(home, user_id)


def _is_embedded(home: Path, backend: Backend) -> bool:
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    if backend != "auto":
        return backend == "sequoia"
    if (home / KEY_FILE).exists():
        return True
    return not (is_installed() or holds_a_key(home))
