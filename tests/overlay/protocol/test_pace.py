"""The pace of upkeep: calm when nobody leaves, quick when many do, bounded always."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.pace import (
    CALM_ROUND_SECONDS,
    LEAST_SECONDS,
    MOST_SECONDS,
    REPUBLISH_LEAST_SECONDS,
    REPUBLISH_MOST_SECONDS,
    SHORTEST_ROUND_SECONDS,
    Pace,
)


@given(st.lists(st.booleans()), st.integers(0, 10_000))
def test_it_stays_within_its_bounds(checks: list[bool], contacts: int) -> None:
    pace = Pace()
    for alive in checks:
        (pace.alive if alive else pace.dead)()
    assert LEAST_SECONDS <= pace.seconds(contacts) <= MOST_SECONDS
    assert REPUBLISH_LEAST_SECONDS <= pace.republish_seconds <= REPUBLISH_MOST_SECONDS


def test_in_a_calm_mesh_a_round_takes_ten_minutes() -> None:
    assert Pace().seconds(100) * 100 == CALM_ROUND_SECONDS


@pytest.mark.parametrize("session_seconds", [600, 1800])
def test_the_shorter_the_sessions_the_quicker_the_rounds_and_few_contacts_are_dead(
    session_seconds: int,
) -> None:
    dice, pace, contacts = random.Random(1), Pace(), 100
    dies = [dice.expovariate(1 / session_seconds) for _ in range(contacts)]
    now, found_dead = 0.0, []
    for check in range(6000):
        now += pace.seconds(contacts)
        place = check % contacts
        is_dead = dies[place] < now
        found_dead.append(is_dead)
        if is_dead:
            pace.dead()
            dies[place] = now + dice.expovariate(1 / session_seconds)
        else:
            pace.alive()
    assert sum(found_dead[3000:]) / 3000 < 0.25  # the table itself has half of that
    assert SHORTEST_ROUND_SECONDS <= pace.seconds(contacts) * contacts < CALM_ROUND_SECONDS
