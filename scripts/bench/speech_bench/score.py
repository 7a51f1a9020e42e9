"""PESQ of what was heard (ITU-T P.862, P.862.2 for wideband), as MOS-LQO."""

import numpy as np
from numpy.typing import NDArray
from pesq import pesq

from .calling import Heard

LEAST_SECONDS = 6.0
SETTLING_SECONDS = 1.0
LOUD = 200


def score(heard: Heard) -> float:
    """Return the MOS-LQO: narrowband at 8 kHz, else wideband at 16 kHz.

    Left out is the first second, in which phones and nodes begin: the codec and the way are what is scored.
    """
    rate = 8_000 if heard.rate == 8_000 else 16_000
    said, got = (_at(samples, heard.rate // rate) for samples in (heard.said, heard.heard))
    got = got[int(np.argmax(np.abs(got) > LOUD)) + int(SETTLING_SECONDS * rate) :]
    if len(got) < LEAST_SECONDS * rate:
        raise ValueError(f"only {len(got) / rate:.1f} s were heard")
    place = _place(got[: int(LEAST_SECONDS * rate)], said)
    said = said[place : place + len(got)]
    return float(pesq(rate, said, got[: len(said)], "nb" if rate == 8_000 else "wb"))


def _place(part: NDArray[np.int16], whole: NDArray[np.int16]) -> int:
    """Return where in `whole` the `part` fits best (cross-correlation)."""
    size = len(part) + len(whole)
    spectrum = np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size))
    return int(np.argmax(np.fft.irfft(spectrum, size)[: len(whole) - len(part)]))


def _at(samples: NDArray[np.int16], factor: int) -> NDArray[np.int16]:
    """Return every `factor`-th sample, after a low pass below the new half rate (windowed sinc)."""
    if factor == 1:
        return samples
    taps = np.arange(-24 * factor, 24 * factor + 1)
    window = np.sinc(taps / factor * 0.95) * np.hamming(len(taps))
    filtered = np.convolve(samples.astype(np.float64), window / window.sum(), "same")[::factor]
    return np.clip(np.round(filtered), -32_768, 32_767).astype(np.int16)
