"""The kit can tell what was heard."""

import numpy as np

from tests.kit.capture import is_run_of
from tests.kit.g711 import ULAW, decode_ulaw, encode_ulaw
from tests.kit.speech import FRAME, frames_heard, main_frequency, through_ulaw, voiced_frames

RATE = 8_000
RNG = np.random.default_rng(1)
NOISE = RNG.integers(-9_000, 9_000, 20 * FRAME).astype(np.int16)


def test_each_code_survives_the_way_through_its_sample() -> None:
    for code in range(256):
        sample = decode_ulaw(bytes([code]))
        assert np.array_equal(decode_ulaw(encode_ulaw(sample)), sample)


def test_the_table_is_that_of_the_standard() -> None:
    assert [int(ULAW[code]) for code in (0x00, 0x7F, 0x80, 0xFF, 0xAA)] == [-32_124, 0, 32_124, 0, 5_372]


def test_a_sample_is_coded_to_its_nearest_neighbour_or_the_next_lower() -> None:
    samples = np.arange(-32_000, 32_000, 7).astype(np.int16)
    error = np.abs(through_ulaw(samples).astype(int) - samples)
    assert np.all(error <= np.maximum(4, np.abs(samples.astype(int)) // 16))


def test_what_was_said_is_found_after_a_late_start_and_a_gap() -> None:
    heard = np.concatenate([np.zeros(77, np.int16), NOISE[3 * FRAME : 9 * FRAME], NOISE[11 * FRAME :]])
    assert frames_heard(NOISE, heard) == 6 + 9


def test_one_wrong_bit_costs_a_frame() -> None:
    heard = NOISE.copy()
    heard[5 * FRAME + 3] ^= 1
    assert frames_heard(NOISE, heard) == 19


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
