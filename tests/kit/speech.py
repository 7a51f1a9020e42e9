"""Speech to send, and the comparison of what was heard with what was said."""

import struct
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Wide = NDArray[np.int32]
FRAME = 160
VOICED_RMS = 200.0
_WORDS = "one two three four five six seven eight nine ten eleven twelve twenty thirty hundred thousand"


def make_speech(path: Path, *, rate: int = 8_000, seconds: int = 60, shift: int = 0) -> Path:
    """Write a mono WAV file of counting speech, the same each time; `shift` makes another text."""
    words = _WORDS.split()
    words = words[shift:] + words[:shift]
    text = " ".join(f"{first} {second}," for first in words for second in words[::3])
    raw = path.with_suffix(".espeak.wav")
    subprocess.run(["espeak-ng", "-v", "en", "-s", "150", "-w", str(raw), text], check=True, timeout=60)
    convert = [
        "sox",
        "-R",
        str(raw),
        "-r",
        str(rate),
        "-b",
        "16",
        "-c",
        "1",
        str(path),
        "trim",
        "0",
        str(seconds),
    ]
    subprocess.run(convert, check=True, timeout=60)
    raw.unlink()
    return path


def make_tone(path: Path, frequency: int, *, rate: int = 8_000, seconds: int = 60) -> Path:
    """Write a mono WAV file with a sine."""
    synth = ["synth", str(seconds), "sine", str(frequency), "vol", "0.25"]
    subprocess.run(
        ["sox", "-R", "-n", "-r", str(rate), "-b", "16", "-c", "1", str(path), *synth], check=True, timeout=60
    )
    return path


def read_wav(path: Path) -> tuple[int, Samples]:
    """Return sample rate and samples (first channel); sizes left at zero by a killed recorder are mended."""
    data = path.read_bytes()
    assert data[:4] == b"RIFF", path
    position, rate, channels = 12, 0, 1
    while position + 8 <= len(data):
        name, size = data[position : position + 4], struct.unpack("<I", data[position + 4 : position + 8])[0]
        body = data[position + 8 : position + 8 + size]
        if name == b"fmt ":
            _, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
            assert bits == 16, f"{path}: {bits} bits"
        if name == b"data":
            body = body or data[position + 8 :]
            whole = len(body) // (2 * channels) * 2 * channels
            return rate, np.frombuffer(body[:whole], "<i2")[::channels]
        position += 8 + size + (size & 1)
    raise AssertionError(f"{path} has no audio")


def voiced_frames(samples: Samples) -> list[Samples]:
    """Cut into 20 ms frames (8 kHz) and return those with speech in them."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    loud = np.sqrt(np.mean(whole.astype(np.float64) ** 2, axis=1)) > VOICED_RMS
    return [frame.astype(np.int16) for frame in whole[loud]]


def frames_recognised(heard: Samples, said: Samples) -> int:
    """Count the voiced 20 ms frames of `heard` that stand, in this order, in `said`.

    Each sample may differ by one step of G.711, as encoders round differently.
    """
    original = said.astype(np.int32)
    position = count = 0
    for frame in voiced_frames(heard):
        found = _find(frame.astype(np.int32), original, position)
        if found is not None:
            count += 1
            position = found + FRAME
    return count


def _find(frame: Wide, original: Wide, start: int) -> int | None:
    """Return where the frame stands in the original, at `start` or later."""
    if _is_same(frame, original[start : start + FRAME]):
        return start
    peak = int(np.argmax(np.abs(frame)))
    area = original[start + peak : len(original) - FRAME + peak + 1]
    near = np.flatnonzero(np.abs(area - frame[peak]) <= _step(area))
    positions = (start + int(offset) for offset in near)
    return next((p for p in positions if _is_same(frame, original[p : p + FRAME])), None)


def _is_same(frame: Wide, original: Wide) -> bool:
    return len(original) == FRAME and bool(np.all(np.abs(frame - original) <= _step(original)))


def _step(samples: Wide) -> Wide:
    """The widest step of mu-law or A-law around each sample (ITU-T G.711)."""
    return (np.abs(samples) + 132) // 16 + 1


def main_frequency(samples: Samples, rate: int) -> float:
    """Return the strongest frequency in hertz; 0 for silence."""
    if len(samples) == 0 or float(np.max(np.abs(samples))) < VOICED_RMS:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[int(np.argmax(spectrum))])


def likeness(heard: Samples, said: Samples) -> float:
    """Return how much a part of `said` sounds like `heard`, 0 to 1, whatever codec was between them.

    Both at 8 kHz. Compared is the loudness of eight bands in 20 ms frames, at the place in `said` where it fits best.
    """
    begin = int(np.argmax(np.abs(heard) > VOICED_RMS))  # before the first word the call was not there yet
    part, whole = _bands(heard[begin:]), _bands(said)
    size = part.shape[1]
    if not 50 <= size <= whole.shape[1]:
        return 0.0
    part = part - part.mean(axis=1, keepdims=True)
    windows = np.lib.stride_tricks.sliding_window_view(whole, size, axis=1)
    energy = ((windows - windows.mean(axis=2, keepdims=True)) ** 2).sum(axis=(0, 2))
    fit = sum(np.correlate(band, pattern, "valid") for band, pattern in zip(whole, part, strict=True))
    return float(np.max(fit / np.sqrt(energy * (part**2).sum() + 1e-9)))


def _bands(samples: Samples) -> NDArray[np.float64]:
    """Return the logarithmic loudness of eight bands, a row each."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME) * np.hanning(FRAME)
    spectrum = np.abs(np.fft.rfft(frames, axis=1))[:, 4:76].reshape(len(frames), 8, 9)
    loudness: NDArray[np.float64] = np.log(np.sqrt((spectrum**2).sum(axis=2)) + VOICED_RMS * 10)
    return loudness.T
