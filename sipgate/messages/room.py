"""How many messages may be under way at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from sipgate.limits import Limits
from sipgate.ports import Refusal


class Room:
    """Counts the messages under way, in all and from each peer node or user."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._under_way: Counter[Hashable] = Counter()

    @contextmanager
    def taken(self, source: Hashable) -> Iterator[None]:
        """Hold a place while the block runs; raise `Refusal` 503 when there is none."""
        limits, under_way = self._limits, self._under_way
        if under_way.total() >= limits.messages or under_way[source] >= limits.messages_per_peer:
            raise Refusal(503, "Too many messages at once: try again in a moment")
        under_way[source] += 1
        try:
            yield
        finally:
            under_way[source] -= 1
            if not under_way[source]:
                del under_way[source]
