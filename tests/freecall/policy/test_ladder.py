"""The ladder: who rings."""

import random

import pytest

from freecall.policy.budget import HOUR, Budget
from freecall.policy.ladder import Answer, Ladder, Rung, Strangers
from freecall.policy.puzzle import LEAST_BITS, MOST_BITS

HOST = "192.0.2.1"


@pytest.mark.parametrize("strangers", ["ring", "message", "refuse", "work"])
@pytest.mark.parametrize("rung", [Rung.CONTACT, Rung.INTRODUCED, Rung.CALLED])
def test_whom_we_know_rings_whatever_strangers_may(strangers: Strangers, rung: Rung) -> None:
    ladder = Ladder(strangers, Budget(0))
    assert all(ladder.judge(rung, "A", HOST, n).answer is Answer.RING for n in range(100))


@pytest.mark.parametrize(
    ("strangers", "answer"),
    [("ring", Answer.RING), ("message", Answer.MESSAGE), ("refuse", Answer.REFUSE), ("work", Answer.WORK)],
)
def test_strangers_do_what_the_user_wants(strangers: Strangers, answer: Answer) -> None:
    assert Ladder(strangers, Budget(3)).judge(Rung.STRANGER, "A", HOST, 0).answer is answer


def test_who_has_worked_rings_once_for_it() -> None:
    ladder = Ladder("work", Budget(3))
    first = ladder.judge(Rung.STRANGER, "A", HOST, 0, proof="p", has_worked=True)
    again = ladder.judge(Rung.STRANGER, "A", HOST, 1, proof="p", has_worked=True)
    other = ladder.judge(Rung.STRANGER, "A", HOST, 2, proof="q", has_worked=True)
    assert [each.answer for each in (first, again, other)] == [Answer.RING, Answer.WORK, Answer.RING]


def test_work_does_not_buy_more_than_an_hour_has() -> None:
    ladder = Ladder("work", Budget(1))
    ladder.judge(Rung.STRANGER, "A", HOST, 0, proof="p", has_worked=True)
    verdict = ladder.judge(Rung.STRANGER, "B", "198.51.100.1", 60, proof="q", has_worked=True)
    assert (verdict.answer, verdict.seconds) == (Answer.WAIT, HOUR - 60)


def test_puzzles_are_harder_the_more_strangers_came_and_easier_again_later() -> None:
    ladder = Ladder("work", Budget(3))
    asked = [ladder.judge(Rung.STRANGER, f"{n}", HOST, 0).bits for n in range(1000)]
    assert asked == sorted(asked)
    assert (asked[0], asked[-1]) == (LEAST_BITS, MOST_BITS)
    assert ladder.bits(12 * HOUR) == LEAST_BITS


@pytest.mark.parametrize("strangers", ["ring", "work"])
def test_ten_thousand_calls_of_a_thousand_fresh_keys_in_an_hour_ring_three_times(
    strangers: Strangers,
) -> None:
    """The attacker has every network it wants, and does all the work."""
    rng = random.Random(1)
    ladder, rung = Ladder(strangers, Budget(3)), 0
    for number in range(10_000):
        now = number * HOUR / 10_000
        host = f"10.{rng.randrange(256)}.{rng.randrange(256)}.1"
        key = f"{rng.randrange(1000):040X}"
        verdict = ladder.judge(Rung.STRANGER, key, host, now, proof=str(number), has_worked=True)
        rung += verdict.answer is Answer.RING
        if number % 100 == 0:
            assert ladder.judge(Rung.CONTACT, "F" * 40, host, now).answer is Answer.RING
    assert rung == 3
