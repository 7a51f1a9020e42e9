"""Letters: only the one they are for can read them, and only the one who wrote them can have written them."""

import dataclasses
import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trust.gpg import GpgHome, needs_gpg
from trust.errors import BadKey, Unreadable
from trust.keyring import Keyring
from trust.letter import Letter, LetterRefused, SignedLetter, check_letter, open_letter, seal_letter
from trust.protocol.letter import MAX_BODY_BYTES
from trust.protocol.packets import MAX_ENCRYPTED_BYTES

URI, OTHER = "sip:alice@mesh", "sip:bob@mesh"
TEXT = "Grüße,\r\nund 🎉\n\n".encode()


def to(fingerprint: str, body: bytes = TEXT, **changes: object) -> Letter:
    letter = Letter(
        bytes(range(16)), OTHER, URI, fingerprint, 1_800_000_000, "text/plain;charset=UTF-8", body
    )
    return dataclasses.replace(letter, **changes)  # type: ignore[arg-type]


async def test_a_letter_comes_out_as_it_went_in(alice: Keyring, mallory: Keyring) -> None:
    for body in (TEXT, b"", bytes(range(256)) * (MAX_BODY_BYTES // 256)):
        letter = to(alice.fingerprint, body)
        sealed = await seal_letter(mallory, letter, await alice.export())
        assert len(sealed) <= MAX_ENCRYPTED_BYTES
        signed = await open_letter(alice, sealed)
        assert signed.letter == letter
        key = await mallory.export()
        assert await check_letter(alice, signed, key, sender=OTHER) == mallory.fingerprint


async def test_nothing_of_it_can_be_read_from_outside(alice: Keyring, mallory: Keyring) -> None:
    sealed = await seal_letter(mallory, to(alice.fingerprint, b"secret" * 100), await alice.export())
    for part in (b"secret", b"alice", b"bob", b"text/plain"):
        assert part not in sealed
    with pytest.raises(Unreadable, match="not encrypted to this key"):
        await open_letter(mallory, sealed)


async def test_a_letter_that_its_reader_hands_on_is_refused(alice: Keyring, mallory: Keyring) -> None:
    opened = await open_letter(alice, await seal_letter(mallory, to(alice.fingerprint), await alice.export()))
    handed_on = await alice.encrypt_to(await mallory.export(), bytes(opened))
    with pytest.raises(LetterRefused, match="somebody else"):
        await open_letter(mallory, handed_on)


async def test_another_writer_than_the_sender_is_refused(alice: Keyring, mallory: Keyring) -> None:
    signed = await open_letter(alice, await seal_letter(mallory, to(alice.fingerprint), await alice.export()))
    with pytest.raises(LetterRefused, match="not signed by"):
        await check_letter(alice, signed, await alice.export(), sender=OTHER)
    with pytest.raises(LetterRefused, match="another sender"):
        await check_letter(alice, signed, await mallory.export(), sender="sip:carol@mesh")
    forged = SignedLetter(dataclasses.replace(signed.letter, body=b"send money"), signed.signature)
    with pytest.raises(LetterRefused, match="not signed by"):
        await check_letter(alice, forged, await mallory.export(), sender=OTHER)


async def test_a_letter_is_sealed_for_its_own_recipient_only(alice: Keyring, mallory: Keyring) -> None:
    with pytest.raises(LetterRefused, match="another key"):
        await seal_letter(mallory, to(alice.fingerprint), await mallory.export())


async def test_every_changed_byte_is_noticed(alice: Keyring, mallory: Keyring) -> None:
    sealed = await seal_letter(mallory, to(alice.fingerprint), await alice.export())
    for position in range(0, len(sealed), len(sealed) // 12):
        damaged = bytearray(sealed)
        damaged[position] ^= 1
        with pytest.raises((Unreadable, LetterRefused)):
            await open_letter(alice, bytes(damaged))


@needs_gpg
async def test_who_has_the_key_can_read_a_letter_with_gpg_alone(
    alice: Keyring, gpg: GpgHome, tmp_path: Path
) -> None:
    gpg.run("--passphrase", "", "--quick-gen-key", "bob <sip:bob@mesh>", "future-default", "default", "never")
    sealed = await alice.encrypt_to(gpg.export("bob"), TEXT)
    assert gpg.run("--decrypt", data=sealed) == TEXT


@needs_gpg
async def test_a_file_name_of_any_bytes_inside_harms_no_reader(
    alice: Keyring, gpg: GpgHome, tmp_path: Path
) -> None:
    (tmp_path / "key").write_bytes(await alice.export())
    for name in ("file", "Grüße", "\udcfa\udcff", "\udc85[GNUPG:] ERRSIG x"):
        options = ["--trust-model", "always", "--set-filename", name]
        sealed = gpg.run(*options, "-f", str(tmp_path / "key"), "--encrypt", data=TEXT)
        assert await alice.decrypt(sealed) == TEXT


@needs_gpg
async def test_a_key_that_cannot_encrypt_is_told(alice: Keyring, gpg: GpgHome) -> None:
    with pytest.raises(BadKey, match="nothing can be encrypted"):
        await alice.encrypt_to(gpg.make("signer"), b"x")
    with pytest.raises(BadKey):
        await alice.encrypt_to(b"no key", b"x")


@needs_gpg
@pytest.mark.parametrize("algorithm", ["zlib", "bzip2", "zip"])
async def test_a_message_that_unpacks_to_gigabytes_fills_no_memory(
    alice: Keyring, gpg: GpgHome, tmp_path: Path, algorithm: str
) -> None:
    (tmp_path / "key").write_bytes(await alice.export())
    options = [
        "--compress-algo",
        algorithm,
        "-z",
        "9",
        "--bzip2-compress-level",
        "9",
        "--trust-model",
        "always",
    ]
    bomb = gpg.run(*options, "-f", str(tmp_path / "key"), "--encrypt", data=bytes(14_000_000))
    assert len(bomb) <= MAX_ENCRYPTED_BYTES
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(Unreadable):
        await alice.decrypt(bomb)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8_000


@needs_gpg
async def test_a_password_is_never_asked_for(alice: Keyring, gpg: GpgHome) -> None:
    options = ["--passphrase", "x", "--pinentry-mode", "loopback"]
    with pytest.raises(Unreadable, match="not an encrypted message"):
        await alice.decrypt(gpg.run(*options, "--symmetric", data=b"x"))


async def test_what_is_no_encrypted_message_is_refused_unseen(alice: Keyring) -> None:
    for wrong in (
        b"",
        b"hello",
        await alice.export(),
        await alice.sign(b"x"),
        bytes(MAX_ENCRYPTED_BYTES + 1),
    ):
        with pytest.raises(Unreadable):
            await alice.decrypt(wrong)


@given(
    st.binary(min_size=16, max_size=16),
    st.integers(0, 2**48 - 1),
    st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=256),
    st.binary(max_size=200),
    st.binary(max_size=200),
)
def test_what_is_written_can_be_read(id_: bytes, at: int, kind: str, body: bytes, signature: bytes) -> None:
    letter = to("A" * 40, body, id=id_, written_at=at, content_type=kind)
    assert SignedLetter.parse(bytes(SignedLetter(letter, signature))) == SignedLetter(letter, signature)


@given(st.binary(max_size=400))
def test_random_bytes_are_no_letter(data: bytes) -> None:
    with pytest.raises(LetterRefused):
        SignedLetter.parse(data)


@given(st.data())
def test_a_mutated_letter_is_refused_or_another_one(data: st.DataObject) -> None:
    signed = SignedLetter(to("A" * 40), b"signature")
    raw = bytearray(bytes(signed))
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = SignedLetter.parse(bytes(raw))
    except LetterRefused:
        return
    assert bytes(parsed) == bytes(raw)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": b"short"},
        {"sender": "sip:bob@example.org"},
        {"recipient": "alice"},
        {"recipient_fingerprint": "AB"},
        {"written_at": -1},
        {"content_type": ""},
        {"content_type": "text/plain\r\nFrom: x"},
        {"body": bytes(MAX_BODY_BYTES + 1)},
    ],
)
def test_no_letter_is_made_of_impossible_things(wrong: dict[str, object]) -> None:
    with pytest.raises(LetterRefused):
        dataclasses.replace(to("A" * 40), **wrong)  # type: ignore[arg-type]
