"""Receipts: a text that plain gpg checks, about this call, these people and no other."""

import dataclasses
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trust.keyring import Keyring, open_keyring
from trust.receipt import Receipt, ReceiptRefused, check_receipt, sign_receipt

SESSION = "ab" * 32


def receipt(alice: str = "A" * 40, bob: str = "B" * 40) -> Receipt:
    return Receipt(
        "sip:alice@mesh", alice, "sip:bob@mesh", bob, SESSION, 1_800_000_000, 1_800_000_065, "sip:bob@mesh"
    )


def test_a_receipt_is_a_text_that_people_can_read() -> None:
    assert bytes(receipt()).decode() == (
        "Free Call receipt, version 1\n"
        "Its signer took part in this call. Nothing is kept of what was spoken.\n"
        "Caller: sip:alice@mesh\n"
        f"Caller's key: {'A' * 40}\n"
        "Callee: sip:bob@mesh\n"
        f"Callee's key: {'B' * 40}\n"
        f"Session: {SESSION}\n"
        "Answered: 2027-01-15T08:00:00Z\n"
        "Ended: 2027-01-15T08:01:05Z\n"
        "Signer: sip:bob@mesh\n"
    )
    assert Receipt.parse(bytes(receipt())) == receipt()


@pytest.mark.parametrize(
    "change",
    [
        {"session": "AB" * 32},
        {"session": ""},
        {"signer": "sip:eve@mesh"},
        {"caller": "alice"},
        {"callee_fingerprint": "b" * 40},
        {"answered": -1},
        {"ended": 1},
        {"ended": 10**15},
    ],
)
def test_a_receipt_that_makes_no_sense_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(ReceiptRefused):
        dataclasses.replace(receipt(), **change)  # type: ignore[arg-type]


@given(st.binary(max_size=400))
def test_any_other_text_is_refused(data: bytes) -> None:
    with pytest.raises(ReceiptRefused):
        Receipt.parse(data)


@given(st.integers(0, 480), st.binary(max_size=3))
def test_a_changed_text_is_refused_or_says_what_it_says(at: int, noise: bytes) -> None:
    good = bytes(receipt())
    changed = good[:at] + noise + good[at + 1 :]
    with suppress(ReceiptRefused):
        assert bytes(Receipt.parse(changed)) == changed


async def test_only_the_other_persons_word_about_this_very_call_is_taken(tmp_path: Path) -> None:
    bob, eve = [
        await open_keyring(tmp_path / n, f"{n} <sip:{n}@mesh>", backend="sequoia") for n in ("bob", "eve")
    ]
    theirs = receipt(bob=bob.fingerprint)
    mine = dataclasses.replace(theirs, signer="sip:alice@mesh", answered=theirs.answered - 3)

    async def taken(said: Receipt, signer: Keyring, key: Keyring, *, cut: int = 10_000) -> None:
        data = await sign_receipt(signer, said)
        text, signature = await check_receipt(eve, data[:cut], mine, await key.export(), bob.fingerprint)
        assert text == bytes(said)
        assert await eve.verify(text, signature, await key.export()) == bob.fingerprint

    await taken(theirs, bob, bob)
    for said, signer, key in (
        (theirs, eve, bob),
        (theirs, eve, eve),
        (mine, bob, bob),
        (dataclasses.replace(theirs, session="cd" * 32), bob, bob),
        (dataclasses.replace(theirs, caller_fingerprint="C" * 40), bob, bob),
    ):
        with pytest.raises(ReceiptRefused):
            await taken(said, signer, key)
    for cut in (0, 1, 2, 50, 480):
        with pytest.raises(ReceiptRefused):
            await taken(theirs, bob, bob, cut=cut)
