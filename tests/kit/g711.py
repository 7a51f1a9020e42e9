"""G.711 as ITU-T writes it, to know bit by bit what a phone must have heard."""

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
_BIAS = 0x84
_CLIP = 32_635


def _ulaw_table() -> Samples:
    codes = ~np.arange(256, dtype=np.int32) & 0xFF
    magnitude = (((codes & 0x0F) << 3) + _BIAS) << ((codes & 0x70) >> 4)
    return np.where(codes & 0x80, _BIAS - magnitude, magnitude - _BIAS).astype(np.int16)


ULAW = _ulaw_table()


def encode_ulaw(samples: Samples) -> bytes:
    """Return one mu-law byte for each 16-bit sample."""
    wide = samples.astype(np.int32)
    magnitude = np.minimum(np.abs(wide), _CLIP) + _BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    sign = np.where(wide < 0, 0x80, 0)
    codes = ~(sign | (exponent << 4) | mantissa) & 0xFF
    return bytes(codes.astype(np.uint8))


def decode_ulaw(data: bytes) -> Samples:
    """Return the 16-bit samples of mu-law bytes."""
    return ULAW[np.frombuffer(data, np.uint8)]
