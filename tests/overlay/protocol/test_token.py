"""Put tokens: for one address, for five to ten minutes."""

from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.token import ROTATE_SECONDS, TOKEN_BYTES, Tokens

TOKENS = Tokens(b"secret")
HOST = b"\x7f\x00\x00\x01"


@given(st.floats(-1e6, 1e6), st.floats(0, ROTATE_SECONDS))
def test_a_token_holds_for_five_minutes_at_least(now: float, later: float) -> None:
    assert TOKENS.is_valid(TOKENS.issue(HOST, now), HOST, now + later)


@given(st.floats(-1e6, 1e6))
def test_a_token_ends_after_ten_minutes(now: float) -> None:
    assert not TOKENS.is_valid(TOKENS.issue(HOST, now), HOST, now + 2 * ROTATE_SECONDS)


def test_a_token_is_for_one_address_and_one_node() -> None:
    token = TOKENS.issue(HOST, 0)
    assert len(token) == TOKEN_BYTES
    assert not TOKENS.is_valid(token, b"\x7f\x00\x00\x02", 0)
    assert not Tokens(b"other").is_valid(token, HOST, 0)


@given(st.binary(max_size=20))
def test_guessing_does_not_help(token: bytes) -> None:
    assert not TOKENS.is_valid(token, HOST, 0)
