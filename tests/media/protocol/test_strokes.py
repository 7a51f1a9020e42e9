"""The time of day, told in strokes."""

import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocol.strokes import GAP, HIGH, LOUDNESS, LOW, PAUSE, STROKE, counts, strokes

RATE = 8000


def heard(samples: bytes) -> str:
    """Return the strokes as letters, l and h, by how often the sound crosses zero; a blank for a pause."""
    values = struct.unpack(f"<{len(samples) // 2}h", samples)
    told, at, quiet = "", 0, 0
    while at < len(values):
        if values[at : at + 80] == (0,) * 80:
            at, quiet = at + 80, quiet + 80
            continue
        if quiet > (PAUSE + GAP) * RATE / 2 and told:
            told += " "
        quiet = 0
        stroke = values[at : at + int(STROKE * RATE)]
        crossings = sum((a < 0) != (b < 0) for a, b in itertools.pairwise(stroke))
        told += "h" if crossings > STROKE * (LOW + HIGH) else "l"
        at += len(stroke)
    return told


@pytest.mark.parametrize(
    ("hour", "minute", "told"),
    [(3, 28, "lll hl " + "h" * 13), (0, 0, "l" * 12), (13, 45, "l hlhlhl"), (11, 4, "l" * 11 + " hhhh")],
)
def test_a_listener_can_count_it(hour: int, minute: int, told: str) -> None:
    assert heard(strokes(hour, minute)).replace("  ", " ") == told


@given(st.integers(0, 23), st.integers(0, 59))
def test_each_time_of_day_is_told_in_half_a_minute_and_is_not_too_loud(hour: int, minute: int) -> None:
    hours, quarters, minutes = counts(hour, minute)
    assert (hours % 12, quarters * 15 + minutes) == (hour % 12, minute)
    samples = strokes(hour, minute)
    assert len(samples) / 2 / RATE < 30
    assert max(struct.unpack(f"<{len(samples) // 2}h", samples)) <= LOUDNESS
