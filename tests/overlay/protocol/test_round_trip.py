"""How long to wait for whom."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.round_trip import MAX_REMEMBERED, SOFT_MAX, SOFT_MIN, SOFT_UNKNOWN, RoundTrips

A, B = ("127.0.0.1", 1), ("127.0.0.1", 2)


def test_nothing_is_known_at_first() -> None:
    assert RoundTrips().soft_timeout(A) == SOFT_UNKNOWN


@given(st.lists(st.floats(0, 10), min_size=1))
def test_the_wait_stays_in_its_bounds(samples: list[float]) -> None:
    times = RoundTrips()
    for sample in samples:
        times.learn(A, sample)
    for address in (A, B):
        assert SOFT_MIN <= times.soft_timeout(address) <= SOFT_MAX


def test_a_steady_contact_is_waited_for_little_longer_than_it_takes() -> None:
    times = RoundTrips()
    for _ in range(50):
        times.learn(A, 0.1)
    assert times.soft_timeout(A) == pytest.approx(0.1, abs=0.01)


def test_a_stranger_is_waited_for_as_long_as_others_took() -> None:
    times = RoundTrips()
    for _ in range(50):
        times.learn(A, 0.2)
    assert times.soft_timeout(B) == pytest.approx(0.2, abs=0.02)


def test_addresses_are_forgotten_when_there_are_too_many() -> None:
    times = RoundTrips()
    for port in range(MAX_REMEMBERED + 10):
        times.learn(("127.0.0.1", port), 0.1)
    assert len(times._each) == MAX_REMEMBERED
