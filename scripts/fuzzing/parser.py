"""What is fuzzed: something that takes bytes from the network, where to begin, and the bounds that it keeps."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

MAX_GROWTH_BYTES = 10_000_000


class Subject(Protocol):
    """Takes inputs, one after the other. The typed refusals of hostile input stay inside; all else is a finding."""

    def take(self, data: bytes) -> None:
        """Read one input, within a running event loop."""
        ...

    async def rest(self) -> None:
        """Let time pass: what the inputs have set going goes on."""
        ...


class Reading:
    """A subject without state or time: a function that reads, and the refusals that it may raise."""

    def __init__(self, read: Callable[[bytes], object], *refusals: type[Exception]) -> None:
        self._read = read
        self._refusals = refusals

    def take(self, data: bytes) -> None:
        """Read, or refuse."""
        try:
            self._read(data)
        except self._refusals:
            return

    async def rest(self) -> None:
        """Do nothing."""


def reading(
    read: Callable[[bytes], object], *refusals: type[Exception]
) -> Callable[[], AbstractAsyncContextManager[Subject]]:
    """Return what opens a function as a subject."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Subject]:
        yield Reading(read, *refusals)

    return opened


@dataclass(frozen=True)
class Parser:
    """One thing to fuzz.

    ``corpus`` makes the first inputs, ``words`` are pieces that the grammar is made of. ``mean_us`` and ``worst_us``
    bound the microseconds for one input, ``max_bytes`` is how long inputs get.
    """

    name: str
    corpus: Callable[[], list[bytes]]
    opened: Callable[[], AbstractAsyncContextManager[Subject]]
    mean_us: float
    worst_us: float
    max_bytes: int
    words: Sequence[bytes] = ()
