"""Who hears whom, from what both nodes count."""

import pytest
from hypothesis import given, strategies

from media.protocol.confirmation_messages import Message
from media.protocol.hearing import QUIET_SECONDS, STEADY_SECONDS, TALKING_PACKETS, Count, Hearing, is_report

counts = strategies.integers(0, 2**32 - 1)
REPORT = bytes.fromhex("01080008 00000064 000000c8")


def test_a_report_on_the_wire() -> None:
    assert bytes(Count(received=100, sent=200)) == REPORT
    assert is_report(REPORT)
    assert Count.parse(REPORT) == Count(100, 200)


@given(counts, counts)
def test_each_count_comes_back(received: int, sent: int) -> None:
    report = bytes(Count(received, sent))
    assert is_report(report)
    assert Count.parse(report) == Count(received, sent)


@given(
    strategies.binary(max_size=40)
    | strategies.builds(lambda end: REPORT[:4] + end, strategies.binary(max_size=12))
)
def test_nothing_else_is_a_report(data: bytes) -> None:
    assert is_report(data) == (len(data) == len(REPORT) and data[:4] == REPORT[:4])


def test_the_confirmation_knows_no_such_message() -> None:
    with pytest.raises(ValueError, match="8"):
        Message.parse(REPORT)


@pytest.mark.parametrize(
    ("near_sent", "far_received", "outgoing"),
    [
        (100, 98, "heard"),
        (1, 1, "heard"),
        (100, 0, "lost"),
        (TALKING_PACKETS - 1, 0, "silent"),
        (0, 0, "silent"),
    ],
)
def test_what_each_direction_is_called(near_sent: int, far_received: int, outgoing: str) -> None:
    hearing = Hearing()
    assert hearing.receive(Count(far_received, 0), Count(0, near_sent))
    assert (hearing.outgoing, hearing.incoming) == (outgoing, "silent")
    mirror = Hearing()
    assert mirror.receive(Count(0, near_sent), Count(far_received, 0))
    assert (mirror.outgoing, mirror.incoming) == ("silent", outgoing)


def test_only_what_has_come_since_the_last_report_counts() -> None:
    hearing = Hearing()
    hearing.receive(Count(100, 100), Count(100, 100))
    assert (hearing.outgoing, hearing.incoming) == ("heard", "heard")
    assert hearing.pause_seconds == STEADY_SECONDS
    assert not hearing.receive(Count(350, 350), Count(350, 350)), "nothing is new"
    assert hearing.receive(Count(350, 600), Count(600, 600))
    assert (hearing.outgoing, hearing.incoming) == ("lost", "heard")
    assert hearing.pause_seconds == QUIET_SECONDS


@given(strategies.lists(strategies.tuples(*[strategies.integers(0, 2**31)] * 4), max_size=5))
def test_counters_may_run_over(steps: list[tuple[int, int, int, int]]) -> None:
    hearing, theirs, ours = Hearing(), [2**32 - 5, 2**32 - 5], [2**32 - 5, 2**32 - 5]
    hearing.receive(Count(*theirs), Count(*ours))
    for step in steps:
        theirs = [theirs[0] + step[0], theirs[1] + step[1]]
        ours = [ours[0] + step[2], ours[1] + step[3]]
        hearing.receive(Count.parse(bytes(Count(*theirs))), Count(*ours))
        assert (hearing.outgoing == "heard") == (step[0] > 0)
        assert (hearing.incoming == "heard") == (step[2] > 0)
