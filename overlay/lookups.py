"""Runs lookups: the only place where a `Lookup` meets time and the network."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from .dht import MeshProtocol
from .protocol.contact import Contact
from .protocol.disjoint import WIDE, DisjointLookup
from .protocol.errors import WireError
from .protocol.lookup import SURE_TOP, Lookup
from .protocol.nodeid import NodeId
from .protocol.record import Kind, Record, check_blob, key_hint, parse_record
from .protocol.region import radius
from .protocol.round_trip import HARD
from .protocol.wire import Values

LOOKUP_SECONDS = 5.0
STRAGGLER_SECONDS = 1.0
MAX_ASKED_TO_CHECK = 12
MAX_PAGES = 20
MAX_VALUES_PER_HOLDER = 20

Ask = Callable[[Contact], Awaitable[Sequence[Contact] | None]]
"""Asks a contact; returns the contacts that it names, or None when it does not answer."""
Slot = tuple[int, bytes]


@dataclass(frozen=True)
class Quorum:
    """When a search may end before all near nodes have answered: so many holders, so long after the first."""

    holders: int
    settle_seconds: float


QUORUM = {Kind.BLOB: Quorum(1, 0.0), Kind.NODE: Quorum(2, 0.0), Kind.CLAIM: Quorum(3, 0.15)}
"""A blob proves itself; of a node record the newer of two is taken; of a claim set every claim is wanted."""


@dataclass
class Found:
    """What a lookup brought: the newest record of each slot, by how many holders; who was asked and who answered."""

    records: dict[Slot, Record] = field(default_factory=dict)
    copies: dict[Slot, int] = field(default_factory=dict)
    blob: bytes | None = None
    holders: int = 0
    asked: int = 0
    answered: int = 0

    def take(self, target: NodeId, kind: Kind, values: tuple[bytes, ...]) -> int:
        """Check values and keep the good ones; return how many were good."""
        good = 0
        for raw in values:
            try:
                if kind is Kind.BLOB:
                    check_blob(target, raw)
                    self.blob = raw
                elif not self._is_another_copy(raw):
                    self._keep(parse_record(target, raw), kind)
                good += 1
            except WireError:
                continue  # a liar or a newer version of the protocol: the others are asked too
        return good

    def _is_another_copy(self, raw: bytes) -> bool:
        """Count the very bytes that another holder gave: they need no second signature check."""
        for slot, held in self.records.items():
            if held.raw == raw:
                self.copies[slot] += 1
                return True
        return False

    def _keep(self, record: Record, kind: Kind) -> None:
        if record.kind is not kind:
            raise WireError("another kind")
        slot = (record.kind, record.public_key)
        held = self.records.get(slot)
        if held is None or record.seq > held.seq:
            self.records[slot] = record
            self.copies[slot] = 1


class LookupRunner:
    """Finds nodes and values through one node's protocol."""

    def __init__(self, protocol: MeshProtocol, *, k: int) -> None:
        self._protocol = protocol
        self._k = k

    def radius(self) -> int:
        """Return the distance from a target within which its values should lie."""
        own_id = self._protocol.key.node_id
        return radius(own_id, self._protocol.router.nearest(own_id, self._k), self._k)

    def lookup(self, target: NodeId, wide: int = WIDE) -> DisjointLookup:
        """Return a new lookup that starts from the nearest contacts known."""
        seeds = self._protocol.router.nearest(target, self._k)
        own_id = self._protocol.key.node_id
        return DisjointLookup(target, seeds, k=self._k, radius=self.radius(), wide=wide, own_id=own_id)

    async def nodes(
        self,
        target: NodeId,
        on_near: Callable[[Contact], None] = lambda _contact: None,
        *,
        in_a_hurry: bool = False,
    ) -> tuple[list[Contact], int]:
        """Return the closest nodes that answer, and how many were asked; takes 5 s at most.

        Those farther out, when the closest have told whom there is, are only asked whether they are there: nearly all,
        unless the caller is ``in_a_hurry``, and all are asked at once.
        ``on_near`` hears of each of them that is sure to be one, as soon as it is; of some of them more than once.
        """
        lookup = self.lookup(target, wide=self._k if in_a_hurry else WIDE)
        walk = _Walk(self._protocol, lookup)

        async def ask(contact: Contact) -> Sequence[Contact] | None:
            if lookup.can_tell_nothing_new(contact.id):
                return () if await self._protocol.is_there(contact) else None
            return await self._named(contact, target)

        def tell_and_go_on() -> bool:
            for contact in lookup.settled():
                on_near(contact)
            return False

        await walk.run(ask, LOOKUP_SECONDS, enough=tell_and_go_on)
        return walk.lookup.result(), walk.lookup.asked

    async def look_around(self, target: NodeId) -> None:
        """Get to know the three closest to ``target``, and those on the way: what fills a bucket."""
        seeds = self._protocol.router.nearest(target, self._k)
        lookup = DisjointLookup(target, seeds, k=SURE_TOP, own_id=self._protocol.key.node_id)

        async def ask(contact: Contact) -> Sequence[Contact] | None:
            return await self._named(contact, target)

        await _Walk(self._protocol, lookup).run(ask, LOOKUP_SECONDS)

    async def _named(self, contact: Contact, target: NodeId) -> Sequence[Contact] | None:
        answer = await self._protocol.find_node(contact, target)
        return answer.contacts if answer is not None else None

    async def is_held(self, target: NodeId, kind: Kind, public_key: bytes, guides: Sequence[Contact]) -> bool:
        """Tell whether a record is found by one narrow path that starts from ``guides``; asks 12 nodes at most."""
        found = Found()
        path = Lookup(
            target,
            guides,
            k=self._k,
            alpha=1,
            own_id=self._protocol.key.node_id,
            max_asked=MAX_ASKED_TO_CHECK,
        )
        walk = _Walk(self._protocol, path)

        async def ask(contact: Contact) -> Sequence[Contact] | None:
            answer = await self._protocol.find_value(contact, target, prefer=key_hint(public_key))
            if isinstance(answer, Values):
                found.take(target, kind, answer.values)
            return answer.contacts if answer is not None else None

        await walk.run(ask, LOOKUP_SECONDS, lambda: (kind, public_key) in found.records)
        return (kind, public_key) in found.records

    async def values(
        self,
        target: NodeId,
        kind: Kind,
        own: tuple[bytes, ...] = (),
        public_key: bytes = b"",
        seconds: float = LOOKUP_SECONDS,
    ) -> Found:
        """Return the values of ``kind`` under ``target``; takes ``seconds`` at most.

        The search ends when the nearest nodes have answered, or earlier with a `QUORUM` of holders, of which we are
        one where we hold ``own`` values; at once with a record signed by ``public_key``, if that is what is looked for.
        """
        found, quorum = Found(), QUORUM[kind]
        prefer = key_hint(public_key) if public_key else b""
        walk = _Walk(self._protocol, self.lookup(target))
        if found.take(target, kind, own):
            found.holders = 1
            walk.settle(quorum.settle_seconds)

        async def ask(contact: Contact) -> Sequence[Contact] | None:
            answer = await self._protocol.find_value(contact, target, prefer=prefer)
            if isinstance(answer, Values) and found.take(target, kind, answer.values):
                found.holders += 1
                if found.holders == 1:
                    walk.settle(quorum.settle_seconds)
                if not enough():
                    await self._pages(contact, target, kind, answer, found)
            return answer.contacts if answer is not None else None

        def enough() -> bool:
            if public_key and (kind, public_key) in found.records:
                return True
            return found.holders >= quorum.holders and walk.is_settled()

        await walk.run(ask, seconds, enough, has_something=lambda: found.holders > 0, patient=True)
        found.asked = walk.lookup.asked
        found.answered = len(walk.lookup.result())
        return found

    async def _pages(self, contact: Contact, target: NodeId, kind: Kind, first: Values, found: Found) -> None:
        """Read the other values that one holder has, page by page."""
        seen, answer = len(first.values), first
        for _ in range(MAX_PAGES):
            if seen >= min(answer.total, MAX_VALUES_PER_HOLDER) or not answer.values:
                break
            more = await self._protocol.find_value(contact, target, seen)
            if not isinstance(more, Values):
                break
            answer = more
            seen += len(more.values)
            found.take(target, kind, more.values)


class _Walk:
    """One lookup under way."""

    def __init__(self, protocol: MeshProtocol, lookup: Lookup | DisjointLookup) -> None:
        self.lookup = lookup
        self._protocol = protocol
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._settled: asyncio.Event | None = None
        self._patience: asyncio.Event | None = None
        self._timers: list[asyncio.TimerHandle] = []

    def settle(self, seconds: float) -> None:
        """Be settled so many seconds from now."""
        self._settled = self._wake_in(seconds)

    def is_settled(self) -> bool:
        """Tell whether the time given to `settle` has passed."""
        return self._settled is not None and self._settled.is_set()

    async def run(
        self,
        ask: Ask,
        seconds: float,
        enough: Callable[[], bool] = lambda: False,
        has_something: Callable[[], bool] = lambda: False,
        *,
        patient: bool = False,
    ) -> None:
        """Ask until ``enough`` is found, time is up, or all have answered but those that have stalled.

        These are waited for when nobody else has answered, and for one second, or as long as they are asked again, by
        who is ``patient`` and does not have anything yet.
        """
        end = self._wake_in(seconds)
        try:
            async with asyncio.TaskGroup() as group:
                tasks: list[asyncio.Task[None]] = []
                while not (enough() or end.is_set()):
                    queries = self.lookup.next_queries()
                    tasks += [group.create_task(self._query(contact, ask)) for contact in queries]
                    if self._may_end(has_something, patient=patient):
                        break
                    await self._changed.wait()
                    self._changed.clear()
                for task in tasks:
                    task.cancel()
        finally:
            for timer in self._timers:
                timer.cancel()
        for contact in self.lookup.stalling():
            self._protocol.check_later(contact)

    def _may_end(self, has_something: Callable[[], bool], *, patient: bool) -> bool:
        if not self.lookup.is_idle:
            return False
        if not self.lookup.is_waiting or has_something():
            return True
        if not self.lookup.result():
            return False
        if patient and self._patience is None:
            self._patience = self._wake_in(HARD if self._protocol.knows_few else STRAGGLER_SECONDS)
        return self._patience is None or self._patience.is_set()

    def _wake_in(self, seconds: float) -> asyncio.Event:
        over = asyncio.Event()

        def end() -> None:
            over.set()
            self._changed.set()

        self._timers.append(self._loop.call_later(seconds, end))
        return over

    async def _query(self, contact: Contact, ask: Ask) -> None:
        soft = self._loop.call_later(
            self._protocol.round_trips.soft_timeout(contact.address), self._stall, contact.id
        )
        try:
            named = await ask(contact)
        finally:
            soft.cancel()
        if named is None:
            self.lookup.failed(contact.id)
        else:
            self.lookup.responded(contact.id, named)
        self._changed.set()

    def _stall(self, peer: NodeId) -> None:
        self.lookup.stalled(peer)
        self._changed.set()
