"""Claims: readable for who knows the name, noise for everybody else."""

import msgpack
import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from hypothesis import given, settings
from hypothesis import strategies as st

from overlay.protocol.claim import MAX_DELEGATION_BYTES, Claim, _key, claim_target, seal, unseal
from overlay.protocol.errors import WireError

BOB, ALICE = "sip:bob@mesh", "sip:alice@mesh"


def some_claim(delegation: bytes = b"delegation") -> Claim:
    """Return a claim."""
    return Claim(bytes(20), bytes(32), bytes(20), delegation)


def sealed(fields: object) -> bytes:
    """Seal anything for Bob."""
    return bytes(12) + ChaCha20Poly1305(_key(BOB)).encrypt(
        bytes(12), msgpack.packb(fields), claim_target(BOB)
    )


@given(st.binary(max_size=MAX_DELEGATION_BYTES), st.integers(0, 2**63 - 1))
@settings(max_examples=50)
def test_who_knows_the_name_reads_the_claim(delegation: bytes, seq: int) -> None:
    assert unseal(BOB, seal(BOB, some_claim(delegation), seq)) == some_claim(delegation)


def test_who_knows_another_name_does_not() -> None:
    with pytest.raises(WireError, match="another name"):
        unseal(ALICE, seal(BOB, some_claim(), 1))


def test_the_target_does_not_tell_the_name() -> None:
    assert claim_target(BOB) != claim_target(ALICE)
    assert len(claim_target(BOB)) == 20


def test_no_nonce_serves_two_texts() -> None:
    payloads = [seal(BOB, some_claim(d), seq) for d in (b"a", b"b") for seq in (1, 2)]
    assert len({payload[:12] for payload in payloads}) == 4
    assert seal(BOB, some_claim(), 1) == seal(BOB, some_claim(), 1)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        unseal(BOB, payload)


@pytest.mark.parametrize(
    "fields",
    [
        7,
        [],
        [2, bytes(20), bytes(32), bytes(20), b""],
        [True, bytes(20), bytes(32), bytes(20), b""],
        [1, bytes(19), bytes(32), bytes(20), b""],
        [1, "x" * 20, bytes(32), bytes(20), b""],
        [1, bytes(20), bytes(32), bytes(20), bytes(MAX_DELEGATION_BYTES + 1)],
        [1, bytes(20), bytes(32), bytes(20)],
    ],
)
def test_what_is_sealed_well_but_makes_no_sense_is_refused(fields: object) -> None:
    with pytest.raises(WireError):
        unseal(BOB, sealed(fields))


def test_a_claim_has_fields_of_fixed_size() -> None:
    with pytest.raises(ValueError, match="size"):
        Claim(bytes(19), bytes(32), bytes(20), b"")
    with pytest.raises(ValueError, match="size"):
        some_claim(bytes(MAX_DELEGATION_BYTES + 1))
