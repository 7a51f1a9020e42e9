"""What every keyring does, whatever keeps the key."""

import asyncio
import stat
import sys
from pathlib import Path

import pytest

from tests.trust.gpg import GpgHome, needs_gpg
from trust.keyring import Backend, BadSignature, Keyring, KeyringError, open_keyring
from trust.openpgp import MAX_EXPORT_BYTES, KeyVerifier
from trust.protocol.packed_key import pack

USER_ID = "alice <sip:alice@mesh>"


async def test_what_a_keyring_signs_verifies_to_its_primary_fingerprint(
    alice: Keyring, mallory: Keyring
) -> None:
    signature = await alice.sign(b"hello")
    assert await mallory.verify(b"hello", signature, await alice.export()) == alice.fingerprint
    assert len(alice.fingerprint) == 40
    assert alice.fingerprint == alice.fingerprint.upper()


async def test_a_signature_over_other_data_is_refused(alice: Keyring) -> None:
    signature = await alice.sign(b"hello")
    with pytest.raises(BadSignature, match="not by this key over this text"):
        await alice.verify(b"hellO", signature, await alice.export())


async def test_a_signature_by_another_key_is_refused(alice: Keyring, mallory: Keyring) -> None:
    signature = await mallory.sign(b"hello")
    with pytest.raises(BadSignature):
        await alice.verify(b"hello", signature, await alice.export())


async def test_the_public_key_fits_into_one_value_of_the_overlay(tmp_path: Path, backend: Backend) -> None:
    longest = "a" * 64
    keyring = await open_keyring(tmp_path, f"{longest} <sip:{longest}@mesh>", backend=backend)
    try:
        assert len(pack(await keyring.export())) <= MAX_EXPORT_BYTES
        signature = await keyring.sign(b"x")
        assert len(signature) <= 200
        assert await keyring.verify(b"x", signature, await keyring.export()) == keyring.fingerprint
    finally:
        await keyring.aclose()


async def test_the_exported_key_says_whose_it_is_and_holds_no_secret(alice: Keyring) -> None:
    info = await alice.inspect(await alice.export())
    assert info.fingerprint == alice.fingerprint
    assert info.user_ids == (USER_ID,)
    assert not info.expired
    assert not info.revoked


@needs_gpg
async def test_gpg_accepts_what_either_keyring_signs(alice: Keyring, gpg: GpgHome) -> None:
    signature = await alice.sign(b"hello")
    assert gpg.verify(await alice.export(), signature, b"hello") == alice.fingerprint
    assert gpg.verify(await alice.export(), signature, b"other") is None


@needs_gpg
async def test_either_keyring_accepts_what_gpg_signs(alice: Keyring, gpg: GpgHome) -> None:
    key = gpg.make("bob")
    fingerprint = await alice.verify(b"hello", gpg.sign("bob", b"hello"), key)
    assert (await alice.inspect(key)).fingerprint == fingerprint


async def test_the_key_is_the_same_after_a_restart_and_under_another_name(
    tmp_path: Path, backend: Backend
) -> None:
    first = await open_keyring(tmp_path, USER_ID, backend=backend)
    await first.aclose()
    second = await open_keyring(tmp_path, "carol <sip:carol@mesh>", backend=backend)
    await second.aclose()
    assert first.fingerprint == second.fingerprint


async def test_auto_keeps_to_the_backend_that_holds_the_key(
    tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await open_keyring(tmp_path, USER_ID, backend=backend)
    await first.aclose()
    second = await open_keyring(tmp_path, USER_ID)
    await second.aclose()
    assert first.fingerprint == second.fingerprint
    monkeypatch.setenv("PATH", "/nowhere")
    if backend == "gnupg":
        with pytest.raises(KeyringError, match="apt install gnupg"):
            await open_keyring(tmp_path, USER_ID)
    else:
        assert (await open_keyring(tmp_path, USER_ID)).fingerprint == first.fingerprint


async def test_without_gpg_auto_makes_an_embedded_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    await open_keyring(tmp_path, USER_ID)
    assert (tmp_path / "openpgp.key").exists()


async def test_fifty_calls_at_once_all_sign_and_verify(alice: Keyring) -> None:
    key = await alice.export()

    async def one(number: int) -> str:
        data = b"call %d" % number
        return await alice.verify(data, await alice.sign(data), key)

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(one(number)) for number in range(50)]
    assert {call.result() for call in calls} == {alice.fingerprint}


async def test_concurrent_opens_in_one_process_make_one_key(tmp_path: Path, backend: Backend) -> None:
    async with asyncio.TaskGroup() as group:
        opens = [group.create_task(open_keyring(tmp_path, USER_ID, backend=backend)) for _ in range(5)]
    keyrings = [task.result() for task in opens]
    for keyring in keyrings:
        await keyring.aclose()
    assert len({keyring.fingerprint for keyring in keyrings}) == 1


SCRIPT = """
import asyncio, sys
from pathlib import Path
from trust.keyring import open_keyring

async def main():
    keyring = await open_keyring(Path(sys.argv[1]), "alice <sip:alice@mesh>", backend=sys.argv[2])
    print(keyring.fingerprint, flush=True)
    await keyring.aclose()

asyncio.run(main())
"""


async def start(home: Path, backend: Backend) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SCRIPT,
        str(home),
        backend,
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


async def test_concurrent_starts_of_several_processes_make_one_key(tmp_path: Path, backend: Backend) -> None:
    processes = [await start(tmp_path, backend) for _ in range(4)]
    outputs = {(await process.communicate())[0] for process in processes}
    assert len(outputs) == 1
    assert len(outputs.pop().strip()) == 40


@pytest.mark.parametrize("milliseconds", [60, 90, 110, 130, 150, 180, 220])
async def test_kill_9_during_the_first_start_leaves_a_state_that_the_next_can_use(
    tmp_path: Path, backend: Backend, milliseconds: int
) -> None:
    process = await start(tmp_path, backend)
    await asyncio.sleep(milliseconds / 1000)
    if process.returncode is None:
        process.kill()
    told = (await process.communicate())[0].decode().strip()
    first = await open_keyring(tmp_path, USER_ID, backend=backend)
    assert told in ("", first.fingerprint), "a key that was announced must stay"
    assert await first.verify(b"x", await first.sign(b"x"), await first.export()) == first.fingerprint
    await first.aclose()
    second = await open_keyring(tmp_path, USER_ID, backend=backend)
    await second.aclose()
    assert second.fingerprint == first.fingerprint


async def test_only_the_user_can_read_what_a_keyring_keeps(alice: Keyring, tmp_path: Path) -> None:
    await alice.sign(b"x")
    secret = [tmp_path / "alice" / "openpgp.key", tmp_path / "alice" / "gnupg"]
    for path in secret:
        if path.exists():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


async def test_a_stranger_s_key_leaves_no_trace_on_disk(
    alice: Keyring, mallory: Keyring, tmp_path: Path
) -> None:
    def files() -> dict[Path, int]:
        return {path: path.stat().st_size for path in (tmp_path / "alice").rglob("*") if path.is_file()}

    await alice.sign(b"x")
    before = files()
    await alice.verify(b"x", await mallory.sign(b"x"), await mallory.export())
    await alice.inspect(await mallory.export())
    assert files() == before


async def test_checking_needs_no_keyring(alice: Keyring) -> None:
    assert await KeyVerifier().verify(b"x", await alice.sign(b"x"), await alice.export()) == alice.fingerprint
