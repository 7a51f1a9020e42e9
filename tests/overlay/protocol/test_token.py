"""Put tokens: for one address, for five to ten minutes."""

from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.token import HELD_SECONDS, MAX_HELD, ROTATE_SECONDS, TOKEN_BYTES, HeldTokens, Tokens

TOKENS = Tokens(b"secret")
HOST = b"\x7f\x00\x00\x01"


@given(st.integers(0, 10**6), st.integers(0, int(ROTATE_SECONDS)))
def test_a_token_holds_for_five_minutes_at_least(now: int, later: int) -> None:
    assert TOKENS.is_valid(TOKENS.issue(HOST, now), HOST, now + later)


@given(st.integers(0, 10**6))
def test_a_token_ends_after_ten_minutes(now: int) -> None:
    assert not TOKENS.is_valid(TOKENS.issue(HOST, now), HOST, now + 2 * ROTATE_SECONDS)


def test_a_token_is_for_one_address_and_one_node() -> None:
    token = TOKENS.issue(HOST, 0)
    assert len(token) == TOKEN_BYTES
    assert not TOKENS.is_valid(token, b"\x7f\x00\x00\x02", 0)
    assert not Tokens(b"other").is_valid(token, HOST, 0)


@given(st.binary(max_size=20))
def test_guessing_does_not_help(token: bytes) -> None:
    assert not TOKENS.is_valid(token, HOST, 0)


def test_a_token_that_we_hold_is_used_for_less_time_than_it_lives() -> None:
    held = HeldTokens()
    held.keep(("192.0.2.1", 1), b"token", 100)
    assert held.of(("192.0.2.1", 1), 100 + HELD_SECONDS - 1) == b"token"
    assert held.of(("192.0.2.1", 1), 100 + HELD_SECONDS) == b""
    assert held.of(("192.0.2.1", 2), 100) == b""
    assert HELD_SECONDS < ROTATE_SECONDS


def test_so_many_tokens_are_held_and_no_more() -> None:
    held = HeldTokens()
    for port in range(MAX_HELD + 100):
        held.keep(("192.0.2.1", port), b"token", 0)
    assert len(held) == MAX_HELD
    assert held.of(("192.0.2.1", 99), 0) == b""
    assert held.of(("192.0.2.1", 100), 0) == b"token"
