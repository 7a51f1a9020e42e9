"""Percentiles and expectations."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.lab.measure import Expectation, Outcome, percentile, times_ms


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.01, 1))
def test_a_percentile_is_one_of_the_values_and_enough_of_them_do_not_exceed_it(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) * (1 - 1e-9)


def test_of_nothing_there_is_no_percentile() -> None:
    assert math.isnan(percentile([], 0.5))


def test_times_have_the_usual_percentiles() -> None:
    figures = times_ms([float(n) for n in range(1, 101)])
    assert figures == {"p50_ms": 50, "p95_ms": 95, "p99_ms": 99, "max_ms": 100}


@pytest.mark.parametrize(
    ("text", "got", "met"),
    [("<= 5", 5, True), ("<= 5", 5.1, False), (">= 0.99", 0.99, True), ("< 5", 5, False), ("== 1", 1, True)],
)
def test_an_expectation_is_met_or_not(text: str, got: float, *, met: bool) -> None:
    assert Expectation.parse("x", text).is_met({"x": got}) is met


def test_what_was_not_measured_is_missed() -> None:
    expected = (Expectation.parse("p99_ms", "<= 600"), Expectation.parse("success", ">= 0.9"))
    outcome = Outcome("resolve", 1.0, {"success": 1.0, "p99_ms": math.nan}, expected)
    assert [str(missed) for missed in outcome.missed] == ["p99_ms <= 600"]


@pytest.mark.parametrize("text", ["", "600", "<=", "=< 5", "<= five", "<= -1"])
def test_an_expectation_that_says_something_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="say for example"):
        Expectation.parse("p99_ms", text)
