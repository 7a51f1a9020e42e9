"""The time of day in strokes, as a minute repeater tells it: hours low, quarters high and low, minutes high.

Half past three less two minutes, 3:28: three low strokes, one pair (a quarter), thirteen high ones.
"""

import functools
import math
import struct

from .g711 import RATE

LOW, HIGH = 440.0, 880.0  # Hz
STROKE, GAP, PAUSE = 0.25, 0.2, 0.6  # seconds
LOUDNESS = 8000
QUARTER = 15


def counts(hour: int, minute: int) -> tuple[int, int, int]:
    """Return how many strokes tell hours (1 to 12), quarters (0 to 3) and minutes (0 to 14)."""
    return (hour - 1) % 12 + 1, minute // QUARTER, minute % QUARTER


def strokes(hour: int, minute: int) -> bytes:
    """Return the strokes as 8 kHz signed 16-bit samples, little-endian."""
    hours, quarters, minutes = counts(hour, minute)
    parts = (_stroke(LOW) * hours, (_stroke(HIGH) + _stroke(LOW)) * quarters, _stroke(HIGH) * minutes)
    return b"".join(part + _silence(PAUSE) for part in parts)


@functools.cache
def _stroke(frequency: float) -> bytes:
    """Return one stroke that dies away, and the gap after it."""
    length = int(STROKE * RATE)
    samples = (
        int(LOUDNESS * (1 - at / length) * math.sin(2 * math.pi * frequency * at / RATE))
        for at in range(length)
    )
    return struct.pack(f"<{length}h", *samples) + _silence(GAP)


def _silence(seconds: float) -> bytes:
    return bytes(2 * int(seconds * RATE))


YES = _stroke(LOW) + _stroke(HIGH) + _silence(PAUSE)
NO = _stroke(LOW) * 3 + _silence(PAUSE)
"""The answers to a dial code: it is so, from low to high; it is not, three low strokes."""
