"""What is special about a keyring in GnuPG."""

import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.trust.gpg import needs_gpg
from trust.gnupg_keyring import open_gnupg_keyring
from trust.keyring import KeyringError
from trust.openpgp import utc_now

pytestmark = needs_gpg
USER_ID = "alice <sip:alice@mesh>"


def agent_answers(home: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        os.chdir(home)
        try:
            probe.connect("S.gpg-agent")
        except OSError:
            return False
        return True


async def test_the_agent_is_ended_on_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keyring = await open_gnupg_keyring(tmp_path, USER_ID)
    await keyring.sign(b"x")
    assert agent_answers(tmp_path / "gnupg")
    await keyring.aclose()
    assert not agent_answers(tmp_path / "gnupg")


async def test_another_home_s_agent_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one = await open_gnupg_keyring(tmp_path / "a", USER_ID)
    other = await open_gnupg_keyring(tmp_path / "b", USER_ID)
    await one.aclose()
    assert agent_answers(tmp_path / "b" / "gnupg")
    await other.aclose()


async def test_a_path_far_longer_than_a_socket_s_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = tempfile.mkdtemp(prefix="fc-")  # whatever the tests' own folder is called
    monkeypatch.setattr("tempfile.tempdir", short)
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    keyring = await open_gnupg_keyring(deep, USER_ID)
    assert await keyring.verify(b"x", await keyring.sign(b"x"), await keyring.export()) == keyring.fingerprint
    await keyring.aclose()
    assert os.listdir(short) == [], "the short way is removed"
    again = await open_gnupg_keyring(deep, USER_ID)
    await again.aclose()
    assert again.fingerprint == keyring.fingerprint
    os.rmdir(short)


async def test_a_lost_key_is_told_and_never_replaced_in_silence(tmp_path: Path) -> None:
    keyring = await open_gnupg_keyring(tmp_path, USER_ID)
    await keyring.aclose()
    (tmp_path / "gnupg").rename(tmp_path / "elsewhere")
    with pytest.raises(KeyringError, match=f"{keyring.fingerprint} is no longer in .*Restore"):
        await open_gnupg_keyring(tmp_path, USER_ID)


async def test_a_key_that_lies_there_already_is_used(tmp_path: Path) -> None:
    first = await open_gnupg_keyring(tmp_path, USER_ID)
    await first.aclose()
    (tmp_path / "gnupg.fingerprint").unlink()
    second = await open_gnupg_keyring(tmp_path, USER_ID)
    await second.aclose()
    assert first.fingerprint == second.fingerprint


def add_older_key(home: Path) -> None:
    command = [
        "gpg",
        "--homedir",
        str(home),
        "--batch",
        "--passphrase",
        "",
        "--faked-system-time",
        "1500000000",
    ]
    subprocess.run([*command, "--quick-gen-key", "older <old@mesh>"], check=True, capture_output=True)


async def test_a_second_key_in_the_keyring_does_not_change_who_the_user_is(tmp_path: Path) -> None:
    first = await open_gnupg_keyring(tmp_path, USER_ID)
    add_older_key(tmp_path / "gnupg")
    await first.aclose()
    second = await open_gnupg_keyring(tmp_path, USER_ID)
    signature = await second.sign(b"x")
    await second.aclose()
    assert second.fingerprint == first.fingerprint
    assert await second.verify(b"x", signature, await first.export()) == first.fingerprint


@pytest.mark.parametrize(
    "user_id", ["alice", "a\nKey-Type: RSA <sip:a@mesh>", "a <sip:a@mesh>\n%no-protection", ""]
)
async def test_a_user_id_that_could_say_more_than_a_name_is_refused(tmp_path: Path, user_id: str) -> None:
    with pytest.raises(KeyringError, match="cannot be the user id"):
        await open_gnupg_keyring(tmp_path, user_id)


async def test_a_broken_gpg_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    fake = tmp_path / "bin" / "gpg"
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(fake.parent))
    with pytest.raises(KeyringError, match="apt install gnupg"):
        await open_gnupg_keyring(tmp_path, USER_ID)


async def test_signatures_are_dated_back_so_that_a_clock_behind_ours_takes_them(tmp_path: Path) -> None:
    import pysequoia  # the date is only in the packet

    keyring = await open_gnupg_keyring(tmp_path, USER_ID)
    made = pysequoia.Sig.from_bytes(await keyring.sign(b"x")).created
    await keyring.aclose()
    assert made is not None
    assert 80_000 < (utc_now() - made).total_seconds() <= 86_500
