"""Sound files in, 8 kHz mono 16 bit WAV out. Both functions block: call them in a thread."""

import wave
from pathlib import Path

from .protocol import g711


def read_wav(path: Path, max_seconds: float) -> bytes:
    """Return the file's sound as 8 kHz mono signed 16-bit samples, at most `max_seconds` of it.

    Raises OSError when it cannot be read, ValueError when it is no sound file.
    """
    import av  # takes 0.2 s to import, and only who plays a file needs it

    resampler = av.AudioResampler(format="s16", layout="mono", rate=g711.RATE)
    samples, limit = bytearray(), int(max_seconds * g711.RATE) * 2
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(audio=0):
                for part in resampler.resample(frame):
                    samples += bytes(part.planes[0])[: part.samples * 2]
                if len(samples) >= limit:
                    break
            else:
                for part in resampler.resample(None):
                    samples += bytes(part.planes[0])[: part.samples * 2]
    except (av.InvalidDataError, IndexError) as error:
        raise ValueError(f"{path.name} is no sound file that can be read") from error
    return bytes(samples[:limit])


def write_wav(path: Path, samples: bytes) -> None:
    """Write 8 kHz mono signed 16-bit samples."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(g711.RATE)
        file.writeframes(samples)
