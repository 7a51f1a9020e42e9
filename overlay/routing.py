"""The routing table: `kademlia`'s k-buckets, with exact nearest contacts and without its side effects."""

import random
from collections.abc import Iterator

from kademlia.routing import KBucket, RoutingTable

from .protocol.contact import Contact
from .protocol.nodeid import ID_BYTES, NodeId
from .protocol.prefix_limit import is_crowded

ENOUGH = 6
"""So many contacts find the way into a bucket's part of the id space, though some be dead."""


class MeshRoutingTable(RoutingTable):  # type: ignore[misc]
    """Buckets of proven contacts.

    A full bucket refuses newcomers: old contacts are the steady ones (paper section 4.1).
    """

    buckets: list[KBucket]

    def __iter__(self) -> Iterator[Contact]:
        for bucket in self.buckets:
            yield from bucket.nodes.values()

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self.buckets)

    def __contains__(self, node_id: NodeId) -> bool:
        return self.find(node_id) is not None

    def find(self, node_id: NodeId) -> Contact | None:
        """Return the contact of that id."""
        wanted = int.from_bytes(node_id, "big")
        for bucket in self.buckets:
            if bucket.range[0] <= wanted <= bucket.range[1]:
                found: Contact | None = bucket.nodes.get(node_id)
                return found
        return None

    def nearest(self, target: NodeId, count: int) -> list[Contact]:
        """Return exactly the ``count`` known contacts closest to ``target``, closest first."""
        wanted = int.from_bytes(target, "big")
        found: list[Contact] = []
        # Buckets part the id space by prefixes: whoever is in a nearer one is nearer than all in the next.
        for bucket in sorted(self.buckets, key=lambda bucket: bucket.range[0] ^ wanted):
            found += sorted(bucket.nodes.values(), key=lambda contact: contact.long_id ^ wanted)
            if len(found) >= count:
                break
        return found[:count]

    def thin_places(self, dice: random.Random) -> list[NodeId]:
        """Return a random id in each part of the id space where we know fewer than ``ENOUGH``, in random order."""
        return self._random_ids([bucket for bucket in self._others() if len(bucket) < ENOUGH], dice)

    def some_place(self, dice: random.Random) -> list[NodeId]:
        """Return a random id in one bucket but the one of our neighbours; none when there is no other."""
        return self._random_ids(self._others(), dice)[:1]

    def _others(self) -> list[KBucket]:
        return [bucket for bucket in self.buckets if not bucket.has_in_range(self.node)]

    @staticmethod
    def _random_ids(buckets: list[KBucket], dice: random.Random) -> list[NodeId]:
        shuffled = dice.sample(buckets, len(buckets))
        return [NodeId(dice.randint(*bucket.range).to_bytes(ID_BYTES, "big")) for bucket in shuffled]

    def wants(self, contact: Contact) -> bool:
        """Tell whether the contact is new and would be taken if it proved its id."""
        if contact.id == self.node.id or contact.id in self:
            return False
        bucket = self.buckets[self.get_bucket_for(contact)]
        if self._crowded(bucket, contact):
            return False
        return len(bucket) < self.ksize or self._may_split(bucket)

    def add(self, contact: Contact) -> bool:
        """Take a proven contact in; False when its bucket is full or its network holds enough places there."""
        while True:
            bucket = self.buckets[self.get_bucket_for(contact)]
            if self._crowded(bucket, contact):
                return False
            if contact.id in bucket.nodes or len(bucket) < self.ksize:
                bucket.add_node(contact)
                return True
            if not self._may_split(bucket):
                bucket.add_node(contact)  # remembered as a replacement
                return False
            self.split_bucket(self.buckets.index(bucket))

    def remove(self, contact: Contact) -> Contact | None:
        """Take a contact out; return the replacement that has its place now, if one waited (paper section 4.1)."""
        bucket = self.buckets[self.get_bucket_for(contact)]
        before = set(bucket.nodes)
        bucket.remove_node(contact)
        promoted = bucket.nodes.keys() - before
        return bucket.nodes[promoted.pop()] if promoted else None

    def add_contact(self, node: Contact) -> None:
        """Take a contact in (the base class's name for it; without its ping into the blue)."""
        self.add(node)

    def find_neighbors(
        self, node: Contact, k: int | None = None, exclude: Contact | None = None
    ) -> list[Contact]:
        """Return the nearest contacts (the base class's name for `nearest`)."""
        found = self.nearest(node.id, (k or self.ksize) + 1)
        return [c for c in found if c.id != node.id and (exclude is None or c.id != exclude.id)][
            : k or self.ksize
        ]

    def _may_split(self, bucket: KBucket) -> bool:
        """Apply the package's rule (paper section 4.2): our own bucket, or one whose depth is not a multiple of 5."""
        return bool(bucket.has_in_range(self.node) or bucket.depth() % 5 != 0)

    @staticmethod
    def _crowded(bucket: KBucket, contact: Contact) -> bool:
        """Tell whether a network has its share of the bucket, those included that wait to take a place."""
        others = (*bucket.nodes.values(), *bucket.replacement_nodes.values())
        return is_crowded((c.endpoint.host for c in others if c.id != contact.id), contact.endpoint.host)
