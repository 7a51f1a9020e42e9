"""Signatures over a call: whose, in which role, over which session."""

from typing import get_args

import pytest

from media.protocol import transcript
from trust.confirmation import Role, SignatureRefused, sign, statement, verify
from trust.keyring import Keyring

HASH = bytes(range(32))


async def test_a_signature_holds_for_the_role_and_session_it_was_made_for(
    alice: Keyring, mallory: Keyring
) -> None:
    for role in get_args(Role):
        signature = await sign(alice, role, HASH)
        await verify(mallory, role, HASH, signature, key=await alice.export(), fingerprint=alice.fingerprint)


async def test_one_s_own_signature_cannot_be_sent_back(mallory: Keyring) -> None:
    signature = await sign(mallory, "caller", HASH)
    with pytest.raises(SignatureRefused, match="could not prove"):
        await verify(
            mallory, "callee", HASH, signature, key=await mallory.export(), fingerprint=mallory.fingerprint
        )


async def test_a_signature_over_another_session_is_refused(mallory: Keyring) -> None:
    signature = await sign(mallory, "caller", bytes(32))
    with pytest.raises(SignatureRefused):
        await verify(
            mallory, "caller", HASH, signature, key=await mallory.export(), fingerprint=mallory.fingerprint
        )


async def test_a_valid_signature_by_an_unexpected_key_is_refused(alice: Keyring, mallory: Keyring) -> None:
    signature = await sign(mallory, "caller", HASH)
    with pytest.raises(SignatureRefused, match="another key"):
        await verify(
            alice, "caller", HASH, signature, key=await mallory.export(), fingerprint=alice.fingerprint
        )


async def test_a_key_that_is_no_key_is_refused(mallory: Keyring) -> None:
    with pytest.raises(SignatureRefused):
        await verify(mallory, "caller", HASH, b"", key=b"", fingerprint=mallory.fingerprint)


def test_the_statement_is_what_the_document_says() -> None:
    parts = [b"freecall-confirmation-1", b"caller", HASH]
    assert statement("caller", HASH) == b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def test_media_asks_to_have_the_same_bytes_signed() -> None:
    for role in get_args(Role):
        assert transcript.statement(role, HASH) == statement(role, HASH)


def test_our_own_mistakes_are_loud() -> None:
    with pytest.raises(ValueError, match="role"):
        statement("judge", HASH)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="32 bytes"):
        statement("caller", b"")
