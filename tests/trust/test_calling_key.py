"""The user's own key takes a calling key once; after that nobody is asked for a passphrase."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.trust.agent import PersonsGpg
from tests.trust.gpg import GpgHome, needs_gpg
from trust import calling_key, confirmation
from trust.calling_key import KEY_FILE, open_calling_keyring
from trust.keyring import KeyringError
from trust.protocol.errors import BadSignature
from trust.protocol.subkey_binding import Binding, Subkey

pytestmark = needs_gpg
BOB = "Bob <bob@example.org>"
HASH = hashlib.sha256(b"a call").digest()


@pytest.fixture
def person() -> Iterator[PersonsGpg]:
    with PersonsGpg() as home:
        yield home


def everything(home: Path) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in home.rglob("*")
        if path.is_file() and "trustdb" not in path.name
    }


async def test_one_passphrase_is_asked_for_and_none_in_any_call_after_it(
    person: PersonsGpg, tmp_path: Path
) -> None:
    fingerprint = person.make_locked(BOB)
    before = everything(person.home)
    keyring = await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    assert keyring.fingerprint == fingerprint
    assert len(person.asked) == 1
    assert "calling key" in person.asked[0].replace("%20", " ")
    person.forget()
    again = await open_calling_keyring(tmp_path, fingerprint, user_home=person.home)
    key = await again.export()
    for role in ("caller", "callee"):
        for _ in range(10):
            signature = await confirmation.sign(again, role, HASH)
            await confirmation.verify(again, role, HASH, signature, key=key, fingerprint=fingerprint)
    assert await again.decrypt(await again.encrypt_to(key, b"a letter")) == b"a letter"
    assert len(person.asked) == 1
    assert everything(person.home) == before, "the person's own keyring was written to"


async def test_plain_gpg_takes_the_calling_key_for_what_it_is(
    person: PersonsGpg, tmp_path: Path, gpg: GpgHome
) -> None:
    fingerprint = person.make_locked(BOB)
    keyring = await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    key = await keyring.export()
    assert gpg.verify(key, await keyring.sign(b"text"), b"text") == fingerprint
    assert len(key) < 950
    listed = gpg.run("--with-colons", "--list-keys").decode().splitlines()
    subkeys = [line.split(":") for line in listed if line.startswith("sub:")]
    assert [fields[11] for fields in subkeys] == ["s", "e"]
    assert all(fields[6] for fields in subkeys), "a subkey without an end"


@pytest.mark.parametrize("kind", ["nistp256", "nistp384", "rsa2048"])
async def test_other_kinds_of_keys_do_as_well(
    person: PersonsGpg, tmp_path: Path, gpg: GpgHome, kind: str
) -> None:
    fingerprint = person.make_locked(BOB, kind=kind)
    keyring = await open_calling_keyring(tmp_path, fingerprint, user_home=person.home)
    assert gpg.verify(await keyring.export(), await keyring.sign(b"text"), b"text") == fingerprint


async def test_a_key_that_others_could_not_check_is_refused_before_anybody_is_asked(
    person: PersonsGpg, tmp_path: Path
) -> None:
    for kind in ("brainpoolP256r1", "dsa1024"):
        person.make_locked(kind, kind=kind)
        with pytest.raises(KeyringError, match=r"is of a kind that others could not check\. Use Ed25519"):
            await open_calling_keyring(tmp_path, kind, user_home=person.home)
    assert person.asked == []


async def test_a_declined_prompt_is_told_and_nothing_is_kept(person: PersonsGpg, tmp_path: Path) -> None:
    person.make_locked(BOB)
    person.decline()
    with pytest.raises(KeyringError, match=r"did not sign: Operation cancelled\."):
        await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    assert not (tmp_path / KEY_FILE).exists()


async def test_of_several_keys_one_must_be_named(person: PersonsGpg, tmp_path: Path) -> None:
    first, second = person.make_locked(BOB), person.make_locked("Bob at work <bob@work.example>")
    with pytest.raises(KeyringError, match=rf"names 2 of your keys.*{first}"):
        await open_calling_keyring(tmp_path, "Bob", user_home=person.home)
    with pytest.raises(KeyringError, match="no secret key 'carol'"):
        await open_calling_keyring(tmp_path, "carol", user_home=person.home)
    keyring = await open_calling_keyring(tmp_path, "bob@work.example", user_home=person.home)
    assert keyring.fingerprint == second


async def test_a_key_that_expired_or_was_revoked_is_not_used(person: PersonsGpg, tmp_path: Path) -> None:
    gone = person.make_locked("Gone <sip:gone@mesh>")
    person.revoke("gone", gone)
    with pytest.raises(KeyringError, match="is revoked"):
        await open_calling_keyring(tmp_path, gone, user_home=person.home)
    person.make("old", at=1_700_000_000, expires="1d")
    with pytest.raises(KeyringError, match=r"has expired\. Extend it: gpg --quick-set-expire"):
        await open_calling_keyring(tmp_path, "old@mesh", user_home=person.home)


async def test_without_the_primary_secret_the_first_start_says_what_to_bring(
    person: PersonsGpg, tmp_path: Path, gpg: GpgHome
) -> None:
    """As on a laptop that has subkeys only."""
    gpg.make("bob")
    fingerprint = gpg.run("--with-colons", "--list-keys").decode().partition("fpr:")[2].split(":")[8]
    gpg.run("--passphrase", "", "--quick-add-key", fingerprint, "cv25519", "encr", "never")
    person.run("--import", data=gpg.run("--export-secret-subkeys", fingerprint))
    with pytest.raises(KeyringError, match=r"The secret part of your primary key .* is not on this computer"):
        await open_calling_keyring(tmp_path, fingerprint, user_home=person.home)
    assert person.asked == []


async def test_the_stick_with_the_keyring_may_be_away_once_the_calling_key_is_there(
    person: PersonsGpg, tmp_path: Path
) -> None:
    person.make_locked(BOB)
    await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    empty = person.folder / "empty"
    empty.mkdir(mode=0o700)
    keyring = await open_calling_keyring(tmp_path, "bob@example", user_home=empty)
    assert "from before is used" in keyring.notices[0]
    with pytest.raises(KeyringError, match="no secret key 'carol'"):
        await open_calling_keyring(tmp_path, "carol", user_home=empty)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0


async def test_a_calling_key_near_its_end_is_replaced_or_told(
    person: PersonsGpg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person.make_locked(BOB)
    monkeypatch.setattr(calling_key, "LIFETIME_SECONDS", 20 * 86400)
    first = await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    person.forget()
    person.decline()
    second = await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    assert second.not_after == first.not_after
    assert "Operation cancelled" in second.notices[0]
    assert "ends on" in second.notices[0]
    (person.folder / "declines").unlink()
    monkeypatch.undo()
    third = await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    assert third.notices == ()
    assert third.not_after > first.not_after + 300 * 86400


async def test_an_extended_expiry_reaches_others_without_a_new_calling_key(
    person: PersonsGpg, tmp_path: Path
) -> None:
    fingerprint = person.make_locked(BOB, expires="30d")
    first = await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    asked = len(person.asked)
    options = ["--pinentry-mode", "loopback", "--passphrase", "correct horse"]
    person.run(*options, "--quick-set-expire", fingerprint, "3y")
    second = await open_calling_keyring(tmp_path, BOB, user_home=person.home)
    assert await second.export() != await first.export()
    assert len(person.asked) == asked


@pytest.mark.parametrize(
    "answer", [b"", b"(", b"junk", b"(7:sig-val(3:rsa(1:s1:x)))", b"(1:r9999999:x)", b"(1:r1:x)" * 100]
)
def test_an_answer_that_is_no_signature_is_refused(answer: bytes) -> None:
    primary = bytes([4, 0, 0, 0, 0, 22]) + b"\x09" + bytes(44)
    subkey = Subkey(primary, primary + b"\x00\x01\x00" + bytes([1] * 32))
    binding = Binding(primary, subkey, 0x0C, 1, 1)
    with pytest.raises(BadSignature):
        binding.packet(answer)
