"""The kit can tell what was heard."""

import numpy as np

from tests.kit.capture import is_run_of
from tests.kit.speech import FRAME, frames_recognised, main_frequency, voiced_frames

RATE = 8_000
RNG = np.random.default_rng(1)
NOISE = RNG.integers(-9_000, 9_000, 20 * FRAME).astype(np.int16)


def test_what_was_said_is_recognised_after_a_late_start_and_a_gap() -> None:
    heard = np.concatenate(
        [np.zeros(FRAME, np.int16), NOISE[3 * FRAME + 77 : 9 * FRAME + 77], NOISE[11 * FRAME :]]
    )
    assert frames_recognised(heard, NOISE) == 6 + 9


def test_the_rounding_of_g711_is_forgiven_and_nothing_more() -> None:
    heard = NOISE + np.sign(NOISE) * (np.abs(NOISE) // 40)
    assert frames_recognised(heard, NOISE) == 20
    heard[5 * FRAME + 3] += 2_000
    assert frames_recognised(heard, NOISE) == 19


def test_the_order_of_what_was_said_counts() -> None:
    heard = np.concatenate([NOISE[10 * FRAME :], NOISE[: 10 * FRAME]])
    assert frames_recognised(heard, NOISE) == 10


def test_other_speech_is_not_recognised() -> None:
    assert frames_recognised(NOISE[::-1].copy(), NOISE) == 0


def test_silence_is_not_speech() -> None:
    assert voiced_frames(np.zeros(10 * FRAME, np.int16)) == []


def test_a_tone_is_told_by_its_frequency() -> None:
    wave = (8_000 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.int16)
    assert abs(main_frequency(wave, RATE) - 440) < 2
    assert main_frequency(np.zeros(RATE, np.int16), RATE) == 0


def test_a_run_has_no_hole() -> None:
    said = [b"a", b"b", b"a", b"c", b"d"]
    assert is_run_of([b"a", b"c"], said)
    assert not is_run_of([b"b", b"c"], said)
    assert not is_run_of([], said)
