"""Puzzles: made without memory, solved with work, good for one callee and one caller."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.policy.puzzle import BATCH, LIFETIME, MOST_BITS, Parties, Puzzles, solve, zero_bits

US = Parties("sip:bob@mesh", "A" * 40)
PUZZLES = Puzzles(b"s" * 32)
EASY = 6
CHALLENGE = PUZZLES.challenge(US, EASY, b"salt1234", 100.0)


def proof_of(challenge: str, parties: Parties = US) -> str | None:
    *waits, proof = list(solve(challenge, parties)) or [None]
    assert waits == [None] * len(waits)
    return proof


def test_the_work_opens_the_door_for_those_two_while_the_puzzle_lives() -> None:
    proof = proof_of(CHALLENGE)
    assert proof is not None
    assert PUZZLES.accepts(proof, US, 100.0)
    assert PUZZLES.accepts(proof, US, 100.0 + LIFETIME)
    assert not PUZZLES.accepts(proof, US, 101.0 + LIFETIME)
    assert not PUZZLES.accepts(proof, dataclasses.replace(US, callee="sip:carol@mesh"), 100.0)
    assert not PUZZLES.accepts(proof, dataclasses.replace(US, caller="B" * 40), 100.0)
    assert not Puzzles(b"t" * 32).accepts(proof, US, 100.0)


def test_a_puzzle_cannot_be_made_easier() -> None:
    eased = CHALLENGE.replace('nonce="06', 'nonce="00').replace("bits=6", "bits=0")
    proof = proof_of(eased)
    assert proof is not None
    assert not PUZZLES.accepts(proof, US, 100.0)


def test_no_work_is_no_proof() -> None:
    hard = PUZZLES.challenge(US, MOST_BITS, b"salt1234", 100.0)
    nonce = hard.split('"')[1]
    assert not PUZZLES.accepts(f'Work nonce="{nonce}", counter=1', US, 100.0)


def test_the_same_work_has_one_spelling() -> None:
    proof = proof_of(CHALLENGE)
    assert proof is not None
    assert not PUZZLES.accepts(proof.replace("counter=", "counter=0"), US, 100.0)


@pytest.mark.parametrize(
    "challenge", ["", "Digest nonce=1", CHALLENGE + " ", CHALLENGE.replace("bits=6", "bits=23")]
)
def test_nobody_works_at_what_is_no_puzzle_or_too_hard(challenge: str) -> None:
    assert proof_of(challenge) is None


def test_work_comes_in_small_pieces() -> None:
    steps = list(solve(PUZZLES.challenge(US, 14, b"salt0000", 0.0), US))
    proof = steps[-1]
    assert proof is not None
    assert len(steps) == int(proof.rpartition("=")[2]) // BATCH + 1


@given(
    st.text(max_size=120)
    | st.text("0123456789abcdef", min_size=66, max_size=66).map('Work nonce="{}", counter=1'.format)
)
def test_what_is_sent_as_a_proof_opens_nothing_by_chance(proof: str) -> None:
    assert not PUZZLES.accepts(proof, US, 0.0)


@given(st.binary(min_size=32, max_size=32))
def test_zero_bits_are_counted_from_the_front(digest: bytes) -> None:
    bits = "".join(f"{byte:08b}" for byte in digest)
    assert zero_bits(digest) == len(bits) - len(bits.lstrip("0"))
