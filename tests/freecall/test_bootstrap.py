"""Signed lists: who made one, and that nobody changed it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from freecall.bootstrap import OWN, PURPOSE, KnownKey, Standing, Tampered, Verdict, judge, sign_list
from overlay.protocol.bootstrap_list import BootstrapList, Entry, ListRefused, SignedList
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import Network
from trust.keyring import Keyring, open_keyring
from trust.openpgp import KeyVerifier
from trust.protocol.statement import statement
from trust.short_signature import sign_short

MADE = 1_780_000_000
NODES = tuple(Entry(Endpoint("192.0.2.7", 7000 + number), 90 - number, number) for number in range(6))
LIST = BootstrapList("flood", NODES, MADE, 90, Network(bytes(range(16))))
VERIFIER = KeyVerifier()


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[Keyring]:
    """Alice's keyring."""
    keyring = await open_keyring(tmp_path / "alice", "alice <sip:alice@mesh>", backend="sequoia")
    yield keyring
    await keyring.aclose()


@pytest.fixture
async def mallory(tmp_path: Path) -> AsyncIterator[Keyring]:
    """Somebody else's."""
    keyring = await open_keyring(tmp_path / "mallory", "alice <sip:alice@mesh>", backend="sequoia")
    yield keyring
    await keyring.aclose()


async def test_a_list_says_who_signed_it(alice: Keyring, mallory: Keyring) -> None:
    known = [KnownKey("mallory", await mallory.export()), KnownKey(OWN, await alice.export())]
    for with_key in (True, False):
        signed = await sign_list(LIST, alice, with_key=with_key)
        assert replace(signed.content, signer_key=b"") == LIST
        verdict = await judge(signed, VERIFIER, known)
        assert (verdict.standing, verdict.fingerprint) == (Standing.KNOWN, alice.fingerprint)
        assert verdict.whose == OWN
        assert verdict.user_ids == ("alice <sip:alice@mesh>",)


async def test_a_stranger_is_told_as_one(alice: Keyring, mallory: Keyring) -> None:
    """The name in a stranger's key is what the stranger likes."""
    known = [KnownKey("alice@mesh", await alice.export())]
    verdict = await judge(await sign_list(LIST, mallory), VERIFIER, known)
    assert (verdict.standing, verdict.whose) == (Standing.STRANGER, "")
    assert verdict.fingerprint == mallory.fingerprint


async def test_without_the_key_a_signature_is_not_checked_and_that_is_said(
    alice: Keyring, mallory: Keyring
) -> None:
    signed = await sign_list(LIST, alice, with_key=False)
    verdict = await judge(signed, VERIFIER, [KnownKey("mallory", await mallory.export())])
    assert verdict.standing is Standing.UNCHECKED


async def test_nobody_signed() -> None:
    assert await judge(SignedList(bytes(LIST)), VERIFIER, []) == Verdict(Standing.UNSIGNED)


@pytest.mark.parametrize("with_key", [True, False])
async def test_every_flipped_bit_is_refused(alice: Keyring, with_key: bool) -> None:
    whole = bytes(await sign_list(LIST, alice, with_key=with_key))
    for at in range(len(whole)):
        for bit in range(8):
            flipped = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
            with pytest.raises(ListRefused):
                SignedList.parse(flipped)


async def test_a_flip_under_a_new_checksum_is_refused_for_its_signature(alice: Keyring) -> None:
    """Each bit of what is signed, with a checksum that fits again; and the whole signature."""
    signed = await sign_list(LIST, alice, with_key=False)
    known = [KnownKey(OWN, await alice.export())]
    issuer = signed.signature[6 + 32 : 6 + 32 + 20]
    for at in range(len(signed.body)):
        body = signed.body[:at] + bytes([signed.body[at] ^ 1 << at % 8]) + signed.body[at + 1 :]
        with pytest.raises(ListRefused):
            await judge(SignedList.parse(bytes(SignedList(body, signed.signature))), VERIFIER, known)
    for at in range(0, len(signed.signature), 5):
        signature = signed.signature[:at] + bytes([signed.signature[at] ^ 4]) + signed.signature[at + 1 :]
        try:
            verdict = await judge(SignedList(signed.body, signature), VERIFIER, known)
        except Tampered:
            continue
        assert verdict.standing is Standing.UNCHECKED, (
            "another key is named: it is nobody's signature that we know"
        )
        assert issuer not in signature


async def test_the_key_in_a_list_cannot_be_exchanged(alice: Keyring, mallory: Keyring) -> None:
    signed = await sign_list(LIST, alice)
    body = bytes(replace(signed.content, signer_key=await mallory.export()))
    with pytest.raises(Tampered, match="get it anew"):
        await judge(SignedList(body, signed.signature), VERIFIER, [])


async def test_a_signature_for_another_end_is_refused(alice: Keyring) -> None:
    body = bytes(replace(LIST, signer_key=await alice.export()))
    for text in (body, statement(b"freecall-delegation-1", body)):
        with pytest.raises(Tampered):
            await judge(SignedList(body, await sign_short(alice, text)), VERIFIER, [])
    right = SignedList(body, await sign_short(alice, statement(PURPOSE, body)))
    assert (await judge(right, VERIFIER, [])).standing is Standing.STRANGER


@pytest.mark.parametrize("signature", [b"\x00", b"\x01" + bytes(89), b"\x02" + bytes(121), b"\xff" * 40])
async def test_noise_for_a_signature_is_refused(signature: bytes, alice: Keyring) -> None:
    known = [KnownKey(OWN, await alice.export())]
    carried = bytes(replace(LIST, signer_key=await alice.export()))
    with pytest.raises(Tampered):
        await judge(SignedList(carried, signature), VERIFIER, known)


async def test_noise_for_a_key_is_refused(alice: Keyring) -> None:
    body = bytes(replace(LIST, signer_key=b"no key"))
    with pytest.raises(Tampered):
        await judge(SignedList(body, await sign_short(alice, statement(PURPOSE, body))), VERIFIER, [])
