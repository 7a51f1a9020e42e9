"""Who is in a mesh, all of it: whom a settled node knows, and where a value lies, without a single datagram.

A mesh of 100,000 nodes cannot be joined node by node in a minute. Its nodes are made the moment the first datagram
reaches them, with the table that years of traffic would have given them.
"""

import heapq
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

from kademlia.routing import KBucket

from overlay.protocol.contact import Contact
from overlay.protocol.nodeid import ID_BYTES

from .dice import dice

ID_BITS = 8 * ID_BYTES


class SettledBucket(KBucket):  # type: ignore[misc]
    """A bucket that finds out who is in it when somebody looks."""

    def __init__(self, lower: int, upper: int, ksize: int, members: Callable[[], list[Contact]]) -> None:
        self._members = members
        self._found: OrderedDict[bytes, Contact] | None = None
        super().__init__(lower, upper, ksize)

    @property
    def nodes(self) -> OrderedDict[bytes, Contact]:
        """The contacts by id."""
        if self._found is None:
            self._found = OrderedDict((contact.id, contact) for contact in self._members())
        return self._found

    @nodes.setter
    def nodes(self, _empty: OrderedDict[bytes, Contact]) -> None:
        """Ignore the empty table that the base class starts with."""


class Census:
    """All members. ``contact`` makes the contact of a member by its number.

    ``fill`` is how full the buckets are for which there are more nodes than places.
    """

    def __init__(
        self, ids: Sequence[bytes], contact: Callable[[int], Contact], *, k: int, seed: int, fill: float = 1.0
    ) -> None:
        numbered = sorted((int.from_bytes(node_id, "big"), number) for number, node_id in enumerate(ids))
        self._ids = [long_id for long_id, _ in numbered]
        self._numbers = [number for _, number in numbered]
        self._contact = contact
        self._k = k
        self._seed = seed
        self._most = max(1, round(fill * k))

    def nearest(self, target: int, count: int, among: Callable[[int], bool] | None = None) -> list[int]:
        """Return the numbers of the ``count`` members closest to ``target``, closest first; of those in ``among``."""
        ids, low, high = self._ids, 0, len(self._ids)
        wanted = count if among is None else 4 * count
        for bits in range(1, ID_BITS + 1):
            shift = ID_BITS - bits
            base = target >> shift << shift
            lower = bisect_left(ids, base, low, high)
            upper = bisect_right(ids, base | ((1 << shift) - 1), low, high)
            if upper - lower < wanted:
                break
            low, high = lower, upper
        near = [at for at in range(low, high) if among is None or among(self._numbers[at])]
        if len(near) < count and high - low < len(ids):
            near = [at for at in range(len(ids)) if among is None or among(self._numbers[at])]
        return [self._numbers[at] for at in heapq.nsmallest(count, near, key=lambda at: ids[at] ^ target)]

    def holders(self, target: int, owner: int) -> list[int]:
        """Return who holds what ``owner`` published: the k closest, and all within the region, 3 k at most."""
        kin = self.nearest(owner, self._k + 1)
        radius = self._id_of(kin[-1]) ^ owner if len(kin) > self._k else 0
        near = self.nearest(target, 3 * self._k)
        return [
            number
            for place, number in enumerate(near)
            if place < self._k or self._id_of(number) ^ target < radius
        ]

    def buckets(self, own_id: int) -> list[KBucket]:
        """Return the buckets of a settled node: full where there are enough, split by the package's rule."""
        leaves: list[KBucket] = []
        self._grow(leaves, own_id, (0, 2**ID_BITS), (0, len(self._ids)), 0)
        return leaves

    def _grow(
        self, leaves: list[KBucket], own_id: int, span: tuple[int, int], slots: tuple[int, int], depth: int
    ) -> None:
        lower, upper = span
        low, high = slots
        is_own = lower <= own_id <= upper
        others = high - low - is_own
        if others <= self._k or not (is_own or depth % 5):
            leaves.append(
                SettledBucket(lower, upper, self._k, partial(self._members, own_id, low, high, others))
            )
            return
        middle = (lower + upper) // 2
        cut = bisect_right(self._ids, middle, low, high)
        self._grow(leaves, own_id, (lower, middle), (low, cut), depth + 1)
        self._grow(leaves, own_id, (middle + 1, upper), (cut, high), depth + 1)

    def _members(self, own_id: int, low: int, high: int, others: int) -> list[Contact]:
        """Return those there, or some of them when there are many: by chance, but the same each time."""
        if others <= self._k:
            chosen: Sequence[int] = range(low, high)
        else:
            chance = dice(own_id ^ low ^ self._seed)
            chosen = chance.sample(range(low, high), self._most + 1)
        contacts = [self._contact(self._numbers[at]) for at in chosen if self._ids[at] != own_id]
        return contacts[: self._k if others <= self._k else self._most]

    def _id_of(self, number: int) -> int:
        return self._contact(number).long_id
