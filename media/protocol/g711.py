"""G.711 (ITU-T, 1988): 16-bit linear samples and back, by table. PCMU and PCMA, 8 kHz mono."""

import struct
from collections.abc import Callable
from functools import cache

SILENCE = {"PCMU": 0xFF, "PCMA": 0xD5}
RATE = 8_000
_BIAS = 0x84


def decode(name: str, data: bytes) -> bytes:
    """Return signed 16-bit little-endian samples, one for each byte."""
    table = _decode_table(name)
    return struct.pack(f"<{len(data)}h", *(table[byte] for byte in data))


def encode(name: str, samples: bytes) -> bytes:
    """Return one byte for each signed 16-bit little-endian sample."""
    table = _encode_table(name)
    return bytes(table[sample] for (sample,) in struct.iter_unpack("<h", samples))


def _decode_mu(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + _BIAS << ((byte & 0x70) >> 4)) - _BIAS
    return -magnitude if byte & 0x80 else magnitude


def _decode_a(byte: int) -> int:
    byte ^= 0x55
    segment, magnitude = (byte & 0x70) >> 4, (byte & 0x0F) << 4
    magnitude += 8 if segment == 0 else 0x108
    magnitude <<= max(segment - 1, 0)
    return magnitude if byte & 0x80 else -magnitude


_DECODERS: dict[str, Callable[[int], int]] = {"PCMU": _decode_mu, "PCMA": _decode_a}


@cache
def _decode_table(name: str) -> tuple[int, ...]:
    return tuple(_DECODERS[name](byte) for byte in range(256))


@cache
def _encode_table(name: str) -> dict[int, int]:
    """Map each sample to the byte whose value is nearest (the smaller magnitude of two as near)."""
    # PCMU has two zeros; the later one in the table is the positive, the silence of phones.
    levels = sorted({value: byte for byte, value in enumerate(_decode_table(name))}.items())
    table, at = {}, 0
    for sample in range(-32_768, 32_768):
        while at + 1 < len(levels) and _is_nearer(levels[at + 1][0], levels[at][0], sample):
            at += 1
        table[sample] = levels[at][1]
    return table


def _is_nearer(upper: int, lower: int, sample: int) -> bool:
    above, below = abs(upper - sample), abs(sample - lower)
    return above < below or (above == below and abs(upper) < abs(lower))
