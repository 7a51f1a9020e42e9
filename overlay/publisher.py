"""Keeps what this node publishes alive: stored near its target, again before it expires, taken back at the end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .dht import MeshProtocol
from .lookups import LookupRunner
from .protocol.contact import Contact
from .protocol.errors import StoreCode
from .protocol.nodeid import NodeId, distance
from .protocol.record import Kind, sign_record
from .protocol.record_store import OWN, Held
from .sequence import Sequence

TTL_SECONDS = 3600
BLOB_KIND = Kind.BLOB
TOMBSTONE_TTL_SECONDS = 600


@dataclass
class Publication:
    """Something this node publishes: how to make its payload for a sequence number."""

    kind: Kind
    target: NodeId
    payload: Callable[[int], bytes]


class Publisher:
    """Stores values on the nodes nearest to their targets."""

    def __init__(self, protocol: MeshProtocol, lookups: LookupRunner, sequence: Sequence, *, k: int) -> None:
        self._protocol = protocol
        self._lookups = lookups
        self._sequence = sequence
        self._k = k
        self._publications: dict[tuple[Kind, NodeId], Publication] = {}

    async def publish(self, publication: Publication) -> int:
        """Publish, now and again; return how many nodes hold it (a majority at least is waited for)."""
        self._publications[publication.kind, publication.target] = publication
        return await self._spread(publication.kind, publication.target, self._make(publication, TTL_SECONDS))

    async def republish(self) -> int:
        """Publish everything again, one after the other; return the least number of copies, 0 without anything."""
        copies = [
            await self._spread(p.kind, p.target, self._make(p, TTL_SECONDS))
            for p in list(self._publications.values())
        ]
        return min(copies, default=0)

    async def withdraw(self) -> None:
        """Replace all signed records by empty ones with a higher sequence number."""
        mine = [p for p in self._publications.values() if p.kind is not Kind.BLOB]
        self._publications.clear()
        async with asyncio.TaskGroup() as group:
            for publication in mine:
                raw = self._sign(
                    publication.kind, publication.target, self._sequence.next(), TOMBSTONE_TTL_SECONDS, b""
                )
                group.create_task(self._spread(publication.kind, publication.target, raw))

    def hand_over(self, newcomer: Contact) -> list[Held]:
        """Return what a new neighbour should hold: values it is near to, if we are the nearest holder.

        The nearest holder alone hands over (paper section 2.5), so a newcomer is not flooded with copies.
        """
        own_id = self._protocol.key.node_id
        due = []
        for held in self._protocol.store_of_records.held():
            target = NodeId(held.target)
            near = [c for c in self._protocol.router.nearest(target, self._k) if c.id != newcomer.id]
            is_nearest = (
                not near or distance(own_id, target) < distance(near[0].id, target) or held.host == OWN
            )
            is_due = len(near) < self._k or distance(newcomer.id, target) < distance(near[-1].id, target)
            if is_nearest and is_due:
                due.append(held)
        return due

    def _make(self, publication: Publication, ttl: int) -> bytes:
        if publication.kind is Kind.BLOB:
            return publication.payload(0)
        seq = self._sequence.next()
        return self._sign(publication.kind, publication.target, seq, ttl, publication.payload(seq))

    def _sign(self, kind: Kind, target: NodeId, seq: int, ttl: int, payload: bytes) -> bytes:
        key = self._protocol.key
        return sign_record(kind, target, key.public_key, seq, ttl, payload, key.sign).raw

    async def _spread(self, kind: Kind, target: NodeId, raw: bytes) -> int:
        now = asyncio.get_running_loop().time()
        self._protocol.store_of_records.put(target, int(kind), raw, OWN, now)
        nodes, _ = await self._lookups.nodes(target)
        copies, majority = 1, len(nodes) // 2 + 1
        enough = asyncio.Event()

        async def store_on(contact: Contact) -> None:
            nonlocal copies
            stored = await self._protocol.store(contact, target, int(kind), raw)
            if stored is not None and stored.code is StoreCode.STORED:
                copies += 1
            if copies > majority:
                enough.set()

        spawn = self._protocol.spawn
        assert spawn is not None
        stores = [store_on(contact) for contact in nodes]
        if not stores:
            return copies
        done = asyncio.Event()

        async def all_stores() -> None:
            async with asyncio.TaskGroup() as group:
                for store in stores:
                    group.create_task(store)
            done.set()
            enough.set()

        spawn(all_stores())
        await enough.wait()
        return copies
