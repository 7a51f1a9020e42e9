"""Runs lookups: the only place where a `Lookup` meets time and the network."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from .dht import MeshProtocol
from .protocol.contact import Contact
from .protocol.errors import WireError
from .protocol.lookup import Lookup
from .protocol.nodeid import NodeId
from .protocol.record import Kind, Record, check_blob, parse_record
from .protocol.wire import Nodes, Values

SETTLE_SECONDS = 0.15
ENOUGH_HOLDERS = 3
MAX_PAGES = 8

Ask = Callable[[Contact], Awaitable[Nodes | Values | None]]


@dataclass
class Found:
    """What a lookup brought: the newest record of each slot, by how many holders; and how many were asked."""

    records: dict[tuple[int, bytes], Record] = field(default_factory=dict)
    copies: dict[tuple[int, bytes], int] = field(default_factory=dict)
    blob: bytes | None = None
    holders: int = 0
    asked: int = 0

    def take(self, target: NodeId, kind: Kind, values: tuple[bytes, ...]) -> int:
        """Check values and keep the good ones; return how many were good."""
        good = 0
        for raw in values:
            try:
                if kind is Kind.BLOB:
                    check_blob(target, raw)
                    self.blob = raw
                else:
                    self._keep(parse_record(target, raw), kind)
                good += 1
            except WireError:
                continue  # a liar or a newer version of the protocol: the others are asked too
        return good

    def _keep(self, record: Record, kind: Kind) -> None:
        if record.kind is not kind:
            raise WireError("another kind")
        slot = (record.kind, record.public_key)
        held = self.records.get(slot)
        if held is None or record.seq > held.seq:
            self.records[slot] = record
            self.copies[slot] = 1
        elif record.seq == held.seq:
            self.copies[slot] += 1


class LookupRunner:
    """Finds nodes and values through one node's protocol."""

    def __init__(self, protocol: MeshProtocol, *, k: int, alpha: int) -> None:
        self._protocol = protocol
        self._k = k
        self._alpha = alpha

    def lookup(self, target: NodeId) -> Lookup:
        """Return a new lookup that starts from the nearest contacts known."""
        seeds = self._protocol.router.nearest(target, self._k)
        return Lookup(target, seeds, k=self._k, alpha=self._alpha, own_id=self._protocol.key.node_id)

    async def nodes(self, target: NodeId) -> tuple[list[Contact], int]:
        """Return the closest nodes that answer, and how many were asked."""
        lookup = self.lookup(target)
        await self._run(lookup, lambda contact: self._protocol.find_node(contact, target), lambda: False)
        return lookup.result(), lookup.asked

    async def values(self, target: NodeId, kind: Kind, *, all_of_them: bool, deadline: float) -> Found:
        """Return the values under ``target``.

        One that checks itself (a blob, a node record) ends the search. Of a claim set every claim is wanted: the search
        ends when the nearest nodes have answered, or a moment after the first hit when several holders have spoken.
        """
        lookup = self.lookup(target)
        found = Found()
        settled = asyncio.Event()
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []

        async def ask(contact: Contact) -> Nodes | Values | None:
            answer = await self._protocol.find_value(contact, target)
            if isinstance(answer, Values) and await self._pages(contact, target, kind, answer, found):
                found.holders += 1
                if not all_of_them:
                    settled.set()
                elif found.holders == 1:
                    timers.append(loop.call_later(SETTLE_SECONDS, settled.set))
            return answer

        def enough() -> bool:
            return settled.is_set() and (not all_of_them or found.holders >= min(ENOUGH_HOLDERS, self._k))

        try:
            async with asyncio.timeout(deadline):
                await self._run(lookup, ask, enough, wait_for_stragglers=lambda: not found.holders)
        except TimeoutError:
            pass  # what has come by the deadline is the answer
        finally:
            for timer in timers:
                timer.cancel()
        found.asked = lookup.asked
        return found

    async def _pages(self, contact: Contact, target: NodeId, kind: Kind, first: Values, found: Found) -> int:
        good, seen, answer = found.take(target, kind, first.values), len(first.values), first
        for _ in range(MAX_PAGES):
            if seen >= answer.total or not answer.values:
                break
            more = await self._protocol.find_value(contact, target, seen)
            if not isinstance(more, Values):
                break
            answer = more
            seen += len(more.values)
            good += found.take(target, kind, more.values)
        return good

    async def _run(
        self,
        lookup: Lookup,
        ask: Ask,
        enough: Callable[[], bool],
        *,
        wait_for_stragglers: Callable[[], bool] = lambda: False,
    ) -> None:
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def query(contact: Contact) -> None:
            soft = loop.call_later(
                self._protocol.round_trips.soft_timeout(contact.address), stall, contact.id
            )
            try:
                answer = await ask(contact)
            finally:
                soft.cancel()
            if answer is None:
                lookup.failed(contact.id)
            else:
                lookup.responded(contact.id, answer.contacts)
            changed.set()

        def stall(peer: NodeId) -> None:
            lookup.stalled(peer)
            changed.set()

        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []
            while not enough():
                tasks += [group.create_task(query(contact)) for contact in lookup.next_queries()]
                if lookup.done and not (lookup.is_waiting and wait_for_stragglers()):
                    break
                await changed.wait()
                changed.clear()
            for task in tasks:
                task.cancel()
