"""Lookups over disjoint paths (S/Kademlia, section 4.4): composed of plain `Lookup`s that share no peer.

Whoever answers a query decides where that path goes next. A hostile node can lead one path astray; the others never
hear of its friends before they have found their own way. The paths pull together, too: beyond the closest of each path,
the closest of all are asked, more of them where the target's own neighbours are near, because each of those can answer.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice

from .contact import Contact
from .lookup import MAX_ASKED, UNANSWERED, Lookup, Peer, PeerState, distance_of, is_sure, within
from .nodeid import NodeId

PATHS = 4
NARROW, WIDE = 2, 6
EARLY, LATE = 4.0, 0.5


class DisjointLookup:
    """Find the ``k`` nodes closest to ``target`` that answer, and all within ``radius``, over several paths.

    ``radius`` is the distance within which ``k`` nodes are expected (`region.radius`). ``wide`` is how many are asked
    at once near the target: few to find a value that each of them should have, ``k`` to find them all. Has the methods
    of `Lookup`.
    """

    def __init__(
        self,
        target: NodeId,
        seeds: Sequence[Contact],
        *,
        k: int,
        radius: int = 0,
        wide: int = WIDE,
        own_id: NodeId | None = None,
        max_asked: int = MAX_ASKED,
    ) -> None:
        self._k = k
        self._radius = radius
        self._wide = wide
        self._max_asked = max_asked
        self._has_answer = False
        heard: set[NodeId] = set()
        self._paths = [
            Lookup(target, seeds[path::PATHS], k=k, alpha=1, radius=radius, own_id=own_id, heard=heard)
            for path in range(PATHS)
        ]

    @property
    def asked(self) -> int:
        """How many have been asked."""
        return sum(path.asked for path in self._paths)

    def next_queries(self) -> list[Contact]:
        """Return the peers to ask now, and count them as asked."""
        asked: list[Contact] = []
        for path in self._paths:
            if not path.is_sure:
                asked += self._ask(path, islice(path.unanswered(), 1))
        for peer in list(self._pulled()):
            asked += self._ask(self._path(peer.contact.id), [peer])
        return asked

    def responded(self, node_id: NodeId, closer: Iterable[Contact]) -> None:
        """Record an answer, in time or late, and the peers it named."""
        self._has_answer = True
        self._path(node_id).responded(node_id, closer)

    def stalled(self, node_id: NodeId) -> None:
        """Record that a peer has taken too long for now; its place is free for another."""
        self._path(node_id).stalled(node_id)

    def failed(self, node_id: NodeId) -> None:
        """Record that a peer will not answer any more."""
        self._path(node_id).failed(node_id)

    @property
    def done(self) -> bool:
        """True once all that matter and do not stall have answered, or nobody is left to wait for."""
        return self.is_idle and (not self.is_waiting or any(True for _ in self.candidates()))

    @property
    def is_idle(self) -> bool:
        """True when there is nobody to ask, and only who has stalled may still answer."""
        if self.asked >= self._max_asked:
            return all(peer.state is not PeerState.WAITING for peer in self._hopeful())
        return next(self._unanswered(), None) is None and all(
            path.is_sure or path.is_idle for path in self._paths
        )

    @property
    def is_waiting(self) -> bool:
        """True while any request is out, stalled ones included."""
        return any(path.is_waiting for path in self._paths)

    def result(self) -> list[Contact]:
        """Return the peers that answered, closest first: ``k`` of them and all within the radius."""
        answered = merge(*(path.answered() for path in self._paths), key=distance_of)
        return [peer.contact for peer in within(answered, self._k, self._radius)]

    def settled(self) -> list[Contact]:
        """Return the peers that have answered and will be in the result, whoever else answers; closest first.

        Those within the radius; and once the way is sure, those whom only stalled ones could push out of it.
        """
        sure = is_sure(self.candidates())
        return [
            peer.contact
            for peer in self.candidates()
            if peer.state is PeerState.QUERIED and (sure or peer.distance < self._radius)
        ]

    def can_tell_nothing_new(self, node_id: NodeId) -> bool:
        """Tell whether a peer will name nobody closer: the way is sure, and six others lie before it."""
        closest = islice(self.candidates(), WIDE)
        return is_sure(self.candidates()) and all(peer.contact.id != node_id for peer in closest)

    def stalling(self) -> list[Contact]:
        """Return the peers that took too long and have not answered since."""
        return [contact for path in self._paths for contact in path.stalling()]

    def candidates(self) -> Iterator[Peer]:
        """Go through the closest peers that may still matter."""
        return within(self._hopeful(), self._k, self._radius)

    def _hopeful(self) -> Iterator[Peer]:
        return merge(*(path.hopeful() for path in self._paths), key=distance_of)

    def _unanswered(self) -> Iterator[Peer]:
        return (peer for peer in self.candidates() if peer.state in UNANSWERED)

    def _pulled(self) -> Iterator[Peer]:
        """Go through those who are asked because they are the closest of all: all of them once the way is sure."""
        if is_sure(self.candidates()):
            yield from self._unanswered()
            return
        near = self._radius * (LATE if self._has_answer else EARLY)
        for count, peer in enumerate(islice(self._unanswered(), self._wide)):
            if count >= NARROW and peer.distance >= near:
                return
            yield peer

    def _ask(self, path: Lookup, peers: Iterable[Peer]) -> list[Contact]:
        return path.ask(islice(peers, self._max_asked - self.asked))

    def _path(self, node_id: NodeId) -> Lookup:
        return next((path for path in self._paths if node_id in path), self._paths[0])
