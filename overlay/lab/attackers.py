"""Hostile nodes: they prove their ids as all do, and then lie.

The lies are told by the same classes that tell the truth, over a table that knows friends only and a store that keeps
nothing.
"""

from bisect import bisect_left
from collections.abc import Sequence

from overlay.identity import NodeKey
from overlay.protocol.contact import Contact
from overlay.protocol.nodeid import NodeId, node_id_of
from overlay.protocol.record_store import RecordStore
from overlay.protocol.responder import Responder
from overlay.protocol.token import Tokens

from .dice import dice

NEIGHBOURS = 64


class Band:
    """Nodes of one owner, who name nobody else (Sybil attack with eclipse: Singh et al., INFOCOM 2006)."""

    def __init__(self, members: Sequence[Contact]) -> None:
        self._members = sorted(members, key=lambda contact: contact.long_id)
        self._ids = [contact.long_id for contact in self._members]

    def nearest(self, target: NodeId, count: int) -> list[Contact]:
        """Return those of the band that lie closest to ``target``."""
        wanted = int.from_bytes(target, "big")
        at = bisect_left(self._ids, wanted)
        # Members in numerical order around the target hold its nearest in XOR distance, but for a few.
        near = self._members[max(0, at - NEIGHBOURS) : at + NEIGHBOURS]
        return sorted(near, key=lambda contact: contact.long_id ^ wanted)[:count]


class BlackHole(RecordStore):
    """Takes every value, says so, and keeps none."""

    def put(self, target: bytes, kind: int, raw: bytes, host: str, now: float, age: int = 0) -> None:
        """Drop it."""

    def get(self, target: bytes, now: float, prefer: bytes = b"") -> list[bytes]:
        """Know nothing."""
        del target, now, prefer
        return []


def colluding_responder(key: NodeKey, band: Band, secret: bytes) -> Responder:
    """Return the answers of a node that points to its band, has no values, and loses what it is given."""
    return Responder(key.public_key, key.sign, band, BlackHole(), Tokens(secret))


def grind(target: NodeId, count: int, closer_than: int, seed: int) -> list[bytes]:
    """Return seeds of ``count`` keys whose ids lie closer to ``target`` than ``closer_than``.

    Real grinding, of real keys: it takes 2**160 / ``closer_than`` tries each, 30 µs per try.
    """
    chance = dice(f"grind {seed}")
    found: list[bytes] = []
    wanted = int.from_bytes(target, "big")
    while len(found) < count:
        tried = chance.randbytes(32)
        node_id = node_id_of(NodeKey.from_seed(tried).public_key)
        if int.from_bytes(node_id, "big") ^ wanted < closer_than:
            found.append(tried)
    return found
