"""Speech to send, and the comparison of what was heard with what was said."""

import struct
import subprocess
from pathlib import Path

import numpy as np

from tests.kit.g711 import Samples, decode_ulaw, encode_ulaw

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


def through_ulaw(samples: Samples) -> Samples:
    """Return what a mu-law phone hears of these samples."""
    return decode_ulaw(encode_ulaw(samples))


def voiced_frames(samples: Samples) -> list[bytes]:
    """Cut into 20 ms frames (8 kHz) and return those with speech in them, as bytes."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    loud = np.sqrt(np.mean(whole.astype(np.float64) ** 2, axis=1)) > VOICED_RMS
    return [frame.astype("<i2").tobytes() for frame in whole[loud]]


def frames_heard(said: Samples, heard: Samples) -> int:
    """Count the voiced 20 ms frames of `said` that are found, bit for bit and in order, in `heard`."""
    everything = heard.astype("<i2").tobytes()
    position = count = 0
    for frame in voiced_frames(said):
        found = everything.find(frame, position)
        if found >= 0:
            count += 1
            position = found + len(frame)
    return count


def main_frequency(samples: Samples, rate: int) -> float:
    """Return the strongest frequency in hertz; 0 for silence."""
    if len(samples) == 0 or float(np.max(np.abs(samples))) < VOICED_RMS:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.fft.rfftfreq(len(samples), 1 / rate)[int(np.argmax(spectrum))])
