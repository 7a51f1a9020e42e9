"""Key continuity: who has the secret of the last call is known; whoever lost it, or never had it, is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocol.continuity import BODY_BYTES, MAX_REPEATS, Continuity, is_continuity

HASH = b"h" * 32
OLD, LAST, OTHER = b"o" * 32, b"l" * 32, b"x" * 32


def side(role: str, *secrets: bytes, filler: bytes = b"") -> Continuity:
    return Continuity(role, secrets, filler or role[:1].encode() * 32)  # type: ignore[arg-type]


def exchange(caller: Continuity, callee: Continuity) -> tuple[bool | None, bool | None]:
    """Let two sides agree on one call and talk until both are silent."""
    flying = [(callee, caller.agreed(HASH)), (caller, callee.agreed(HASH))]
    while flying:
        to, message = flying.pop(0)
        assert is_continuity(message)
        answer = to.receive(message)
        if answer is not None:
            flying.append((callee if to is caller else caller, answer))
    assert caller.unacknowledged() == callee.unacknowledged() == []
    return caller.matched, callee.matched


@pytest.mark.parametrize(
    ("caller", "callee", "matched"),
    [
        ((), (), False),
        ((LAST,), (LAST,), True),
        ((LAST, OLD), (LAST, OLD), True),
        ((LAST, OLD), (OLD,), True),
        ((OLD,), (LAST, OLD), True),
        ((LAST,), (), False),
        ((), (LAST,), False),
        ((LAST, OLD), (OTHER,), False),
    ],
)
def test_both_see_the_same(caller: tuple[bytes, ...], callee: tuple[bytes, ...], matched: bool) -> None:
    assert exchange(side("caller", *caller), side("callee", *callee)) == (matched, matched)


def test_a_message_sent_back_or_from_another_call_shows_nothing() -> None:
    caller = side("caller", LAST)
    own = caller.agreed(HASH)
    caller.receive(own)
    assert caller.matched is False
    callee, again = side("callee", LAST), side("callee", LAST)
    recorded = callee.agreed(b"another call".ljust(32))
    other = side("caller", LAST)
    other.agreed(HASH)
    other.receive(recorded)
    assert other.matched is False
    assert again.agreed(HASH) != recorded


def test_no_message_tells_whether_there_is_a_secret() -> None:
    with_secret, without = side("caller", LAST).agreed(HASH), side("caller").agreed(HASH)
    assert len(with_secret) == len(without) == 4 + BODY_BYTES
    assert LAST not in with_secret


def test_a_message_that_overtakes_the_confirmation_counts_later() -> None:
    caller, callee = side("caller", LAST), side("callee", LAST)
    assert caller.receive(callee.agreed(HASH)) is None
    assert caller.matched is None
    caller.agreed(HASH)
    assert caller.matched is True


def test_a_peer_that_knows_nothing_of_this_is_asked_a_few_times_only() -> None:
    caller = side("caller", LAST)
    assert caller.unacknowledged() == []
    caller.agreed(HASH)
    assert sum(len(caller.unacknowledged()) for _ in range(100)) == MAX_REPEATS


def test_a_lost_message_is_sent_again_until_both_know() -> None:
    caller, callee = side("caller", LAST), side("callee", LAST)
    caller.agreed(HASH)
    callee.agreed(HASH)  # both are lost
    (again,) = caller.unacknowledged()
    answer = callee.receive(again)
    assert answer is not None
    assert caller.receive(answer) is not None  # the answer to the first message says that it was seen
    assert (caller.matched, callee.matched) == (True, True)
    assert caller.unacknowledged() == []


def test_the_first_message_counts() -> None:
    caller = side("caller", LAST)
    caller.agreed(HASH)
    caller.receive(side("callee", OTHER).agreed(HASH))
    caller.receive(side("callee", LAST).agreed(HASH))
    assert caller.matched is False


@given(st.binary(min_size=BODY_BYTES - 1, max_size=BODY_BYTES - 1))
def test_whatever_is_guessed_never_matches(tags: bytes) -> None:
    caller = side("caller", LAST, OLD)
    caller.agreed(HASH)
    message = b"\1\6\0\x21\0" + tags
    assert is_continuity(message)
    caller.receive(message)
    assert caller.matched is False


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1",
        b"\1\6",
        b"\1\6\0\x07GoClear",
        b"\1\6\0\x20\0" + bytes(32),
        b"\1\6\0\x21\2" + bytes(32),
        b"\2\6\0\x21" + bytes(33),
    ],
)
def test_what_is_malformed_is_left_to_the_confirmation_which_ends_the_call(data: bytes) -> None:
    assert not is_continuity(data)


def test_three_secrets_or_a_short_filler_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="at most two"):
        side("caller", OLD, LAST, OTHER)
    with pytest.raises(ValueError, match="32 bytes of filler"):
        side("caller", filler=b"x")
