"""A clock that is before this program was made is wrong: said in a sentence, and no reason to be believed by nobody."""

import time

import pytest

from freecall.compose import clock_problems, wall_clock
from trust.openpgp import RELEASED


def test_a_wrong_clock_is_told_and_a_right_one_is_not() -> None:
    assert clock_problems(RELEASED) == ()
    (problem,) = clock_problems(86_400)
    assert "says 1970" in problem


def test_nothing_is_dated_before_this_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    assert wall_clock() == RELEASED
