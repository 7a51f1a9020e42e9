"""Keeps what this node publishes alive: stored near its target, again before it expires, taken back at the end."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from .dht import MeshProtocol
from .jobs import Jobs
from .lookups import LookupRunner
from .protocol.contact import Contact
from .protocol.errors import StoreCode, StoreRefused
from .protocol.nodeid import NodeId, distance
from .protocol.record import Kind, sign_record
from .protocol.record_store import OWN, Held
from .protocol.round_trip import HARD
from .sequence import Sequence

logger = logging.getLogger(__name__)

TTL_SECONDS = 3600
SPREAD_SECONDS = 3 * HARD
JUMP = 2**32


@dataclass
class Publication:
    """Something this node publishes: how to make its payload for a sequence number; how many nodes hold it."""

    kind: Kind
    target: NodeId
    payload: Callable[[int], bytes]
    copies: int = 0
    is_spreading: bool = False


@dataclass
class _Spread:
    """A value on its way to the nodes that shall hold it."""

    wanted: int
    """How many others shall hold it before we go on: a majority of those that should."""
    others: int = 0
    stale: int = 0
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    def count(self, code: StoreCode | None) -> None:
        self.others += code is StoreCode.STORED
        self.stale += code is StoreCode.STALE
        self.want(self.wanted)

    def want(self, others: int) -> None:
        self.wanted = others
        if self.others >= self.wanted:
            self.enough.set()

    @property
    def copies(self) -> int:
        """How many hold it, ourselves included."""
        return 1 + self.others

    @property
    def is_outdated(self) -> bool:
        """True when more nodes hold something newer than took this: our file of sequence numbers was lost."""
        return self.stale > self.others


class Publisher:
    """Stores values on the nodes nearest to their targets."""

    def __init__(
        self, protocol: MeshProtocol, lookups: LookupRunner, sequence: Sequence, jobs: Jobs, *, k: int
    ) -> None:
        self._protocol = protocol
        self._lookups = lookups
        self._sequence = sequence
        self._jobs = jobs
        self._k = k
        self._publications: dict[tuple[Kind, NodeId], Publication] = {}

    async def publish(self, publication: Publication) -> int:
        """Publish, now and again; return how many nodes hold it, ourselves included.

        Returns when a majority of the nearest nodes holds it or all have answered; 12.5 s at most.

        Raises:
            OSError: the sequence number could not be written down.
            ValueError: the record would be too large.
        """
        self._publications[publication.kind, publication.target] = publication
        publication.is_spreading = True
        try:
            spread = await self._spread(publication)
            if spread.is_outdated and self._is_current(publication):
                self._jump()
                spread = await self._spread(publication)
        finally:
            publication.is_spreading = False
        publication.copies = spread.copies
        return spread.copies

    async def republish(self, *, only_lonely: bool = False) -> None:
        """Publish everything again, one after the other, or only what nobody else holds."""
        for publication in list(self._publications.values()):
            lonely = publication.copies <= 1 and not publication.is_spreading
            if self._is_current(publication) and (lonely or not only_lonely):
                await self._publish_again(publication)

    async def _publish_again(self, publication: Publication) -> None:
        try:
            await self.publish(publication)
        except OSError as error:
            logger.warning("a record could not be renewed: %s", error.strerror)

    def publishes(self, kind: Kind, target: NodeId) -> bool:
        """Tell whether something is published under ``target``."""
        return (kind, target) in self._publications

    async def renew(self, kind: Kind, target: NodeId) -> None:
        """Publish one thing again, now."""
        publication = self._publications.get((kind, target))
        if publication is not None and not publication.is_spreading:
            await self._publish_again(publication)

    def forget_copies(self) -> None:
        """Count on nobody any more: we have been alone."""
        for publication in self._publications.values():
            publication.copies = 0

    async def withdraw(self) -> None:
        """Replace all signed records by empty ones with a higher sequence number; returns when all have answered."""
        mine = [p for p in self._publications.values() if p.kind is not Kind.BLOB]
        self._publications.clear()
        async with asyncio.TaskGroup() as group:
            for publication in mine:
                raw = self._sign(publication, self._sequence.next(), b"")
                group.create_task(self._withdraw(publication, raw))

    async def _withdraw(self, publication: Publication, raw: bytes) -> None:
        await self._deliver(publication, raw, _Spread(wanted=self._k))

    def hand_over_to(self, newcomer: Contact, held: Held) -> bool:
        """Tell whether a new neighbour should hold a value and we are the one to give it.

        The nearest holder alone hands over (paper section 2.5), so a newcomer is not flooded with copies.
        """
        target = NodeId(held.target)
        near = [c for c in self._protocol.router.nearest(target, self._k + 1) if c.id != newcomer.id][
            : self._k
        ]
        own = distance(self._protocol.key.node_id, target)
        is_nearest = not near or own < distance(near[0].id, target)
        if len(near) < self._k:  # so few that all hold everything
            return is_nearest or held.host == OWN
        return is_nearest and distance(newcomer.id, target) < distance(near[-1].id, target)

    def _is_current(self, publication: Publication) -> bool:
        return self._publications.get((publication.kind, publication.target)) is publication

    def _make(self, publication: Publication) -> bytes:
        """Return the value to store now; we hold it ourselves from here on."""
        try:
            return self._keep(publication)
        except StoreRefused:  # others gave us back something newer of our own
            self._jump()
            return self._keep(publication)

    def _keep(self, publication: Publication) -> bytes:
        if publication.kind is Kind.BLOB:
            raw = publication.payload(0)
        else:
            seq = self._sequence.next()
            raw = self._sign(publication, seq, publication.payload(seq))
        now = asyncio.get_running_loop().time()
        self._protocol.store_of_records.put(publication.target, int(publication.kind), raw, OWN, now)
        return raw

    def _jump(self) -> None:
        """Go on far above all numbers that we can have used in an earlier life."""
        self._sequence.skip(JUMP)

    def _sign(self, publication: Publication, seq: int, payload: bytes) -> bytes:
        key = self._protocol.key
        record = sign_record(
            publication.kind, publication.target, key.public_key, seq, TTL_SECONDS, payload, key.sign
        )
        return record.raw

    async def _spread(self, publication: Publication) -> _Spread:
        spread = _Spread(wanted=self._k // 2 + 1)
        self._jobs.start(self._deliver(publication, self._make(publication), spread))
        try:
            async with asyncio.timeout(SPREAD_SECONDS):
                await spread.enough.wait()
        except TimeoutError:
            logger.debug("the nodes near a target answer slowly")
        return spread

    async def _deliver(self, publication: Publication, raw: bytes, spread: _Spread) -> None:
        """Store on the nodes near the target, on each as soon as it is sure to be one of them.

        Storing while still looking ("optimistic provide" of the IPFS DHT) saves a round trip.
        """
        target, asked = publication.target, set[NodeId]()

        async def store_on(contact: Contact) -> None:
            stored = await self._protocol.store(contact, target, int(publication.kind), raw)
            spread.count(stored.code if stored is not None else None)

        def begin(contact: Contact) -> None:
            if contact.id not in asked:
                asked.add(contact.id)
                group.create_task(store_on(contact))

        try:
            async with asyncio.TaskGroup() as group:
                nodes, _ = await self._lookups.nodes(target, begin, in_a_hurry=not publication.copies)
                for contact in nodes:
                    begin(contact)
                spread.want(len(nodes) // 2 + 1)
        finally:
            spread.enough.set()
