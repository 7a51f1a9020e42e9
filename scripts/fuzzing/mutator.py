"""Spoils inputs by chance, the same way each time: what the measured part feeds, and the tests."""

import random
from collections.abc import Callable, Iterator, Sequence

EDGES = (
    b"\0",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xc4\0",
    b"\xc4\xff",
    b"\xdc\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xcf" + b"\xff" * 8,
)
NOISE_SHARE = 0.02
LONG_SHARE = 0.002
MOST_STEPS = 4


class Mutator:
    """Endless inputs like those of a corpus: mostly a few small changes, sometimes noise, seldom as long as may be."""

    def __init__(
        self, corpus: Sequence[bytes], *, seed: int, max_bytes: int, words: Sequence[bytes] = ()
    ) -> None:
        self._corpus = list(corpus)
        self._dice = random.Random(seed)
        self._max_bytes = max_bytes
        self._words = [*words, *EDGES]
        self._steps: list[Callable[[bytearray], None]] = [
            *(self._flip, self._set, self._flip, self._set, self._insert, self._put_word),
            *(self._cut, self._truncate, self._repeat, self._splice),
        ]

    def inputs(self, count: int) -> Iterator[bytes]:
        """Yield that many."""
        for _ in range(count):
            yield self.next()

    def next(self) -> bytes:
        """Return the next."""
        chance = self._dice.random()
        if chance < NOISE_SHARE:
            return self._dice.randbytes(self._below(min(self._max_bytes, 1500) + 1))
        data = bytearray(self._corpus[self._below(len(self._corpus))])
        if chance < NOISE_SHARE + LONG_SHARE:
            self._lengthen(data)
        for _ in range(1 + self._below(2) * self._below(MOST_STEPS)):
            self._steps[self._below(len(self._steps))](data)
        return bytes(data[: self._max_bytes])

    def _below(self, most: int) -> int:
        return int(self._dice.random() * most)

    def _part(self, data: bytes | bytearray) -> slice:
        start = self._below(len(data) + 1)
        return slice(start, start + 1 + self._below(min(32, len(data) - start + 1)))

    def _flip(self, data: bytearray) -> None:
        if data:
            data[self._below(len(data))] ^= 1 << self._below(8)

    def _set(self, data: bytearray) -> None:
        if data:
            data[self._below(len(data))] = self._below(256)

    def _insert(self, data: bytearray) -> None:
        at = self._below(len(data) + 1)
        data[at:at] = self._dice.randbytes(1 + self._below(4))

    def _put_word(self, data: bytearray) -> None:
        word = self._words[self._below(len(self._words))]
        at = self._below(len(data) + 1)
        data[at : at + self._below(2) * len(word)] = word

    def _cut(self, data: bytearray) -> None:
        del data[self._part(data)]

    def _truncate(self, data: bytearray) -> None:
        if self._below(4) == 0:
            del data[self._below(len(data) + 1) :]

    def _repeat(self, data: bytearray) -> None:
        part = self._part(data)
        data[part.start : part.start] = data[part] * (1 + self._below(3))

    def _splice(self, data: bytearray) -> None:
        other = self._corpus[self._below(len(self._corpus))]
        data[self._part(data)] = other[self._part(other)]

    def _lengthen(self, data: bytearray) -> None:
        """Repeat a piece until the input is as long as an input can be: what takes quadratic time shows here."""
        piece = bytes(data[self._part(data)]) or b"\0"
        at = self._below(len(data) + 1)
        data[at:at] = piece * ((self._max_bytes - len(data)) // len(piece))
