"""What was heard, put in place by RTP timestamp: lost packets are silence, late ones find their gap."""

_HALF = 1 << 31


class Recording:
    """Signed 16-bit samples, at most `limit` of them. A new SSRC goes on where the last one ended."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._samples = bytearray()
        self._ssrc: bytes | None = None
        self._base = 0
        self._start = 0

    def add(self, ssrc: bytes, timestamp: int, samples: bytes) -> None:
        """Put one packet's samples in their place; before the start and over the limit they are dropped."""
        if ssrc != self._ssrc:
            self._ssrc, self._base, self._start = ssrc, timestamp, len(self._samples) // 2
        ahead = (timestamp - self._base + _HALF) % (1 << 32) - _HALF
        at = self._start + ahead
        if ahead < 0 or at + len(samples) // 2 > self._limit:
            return
        if len(self._samples) < 2 * at:
            self._samples.extend(bytes(2 * at - len(self._samples)))
        self._samples[2 * at : 2 * at + len(samples)] = samples

    def samples(self) -> bytes:
        """Return all samples, little-endian."""
        return bytes(self._samples)
