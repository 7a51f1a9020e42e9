"""What is special about the embedded keyring."""

import stat
from pathlib import Path

import pytest

from tests.trust.memory_store import MemoryStore
from trust.keyring import KeyringError
from trust.sequoia_keyring import KEY_FILE, open_sequoia_keyring

USER_ID = "alice <sip:alice@mesh>"


async def test_the_key_file_is_private(tmp_path: Path) -> None:
    await open_sequoia_keyring(tmp_path, USER_ID)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"", b"junk", b"\x99\x00"])
async def test_a_damaged_key_file_is_told_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(KeyringError, match=r"openpgp\.key is damaged .*Restore it from a copy") as caught:
        await open_sequoia_keyring(tmp_path, USER_ID)
    assert "backtrace" not in str(caught.value)
    assert (tmp_path / KEY_FILE).read_bytes() == content


async def test_the_key_goes_through_the_store(tmp_path: Path) -> None:
    store = MemoryStore()
    first = await open_sequoia_keyring(tmp_path, USER_ID, store=store)
    second = await open_sequoia_keyring(tmp_path, USER_ID, store=store)
    assert first.fingerprint == second.fingerprint
    assert not (tmp_path / KEY_FILE).exists()


async def test_no_key_is_used_that_could_not_be_written(tmp_path: Path) -> None:
    store = MemoryStore()
    store.is_full = True
    with pytest.raises(OSError, match="No space"):
        await open_sequoia_keyring(tmp_path, USER_ID, store=store)
