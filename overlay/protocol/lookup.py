"""One path of an iterative lookup (Kademlia paper, section 2.3) with continuous parallelism, as a pure state machine.

A `Lookup` never touches a socket or a clock. Ask `next_queries()` whom to contact, and report `responded()`,
`stalled()` or `failed()`. It has no rounds: **the ``alpha`` closest that have not answered are being asked, always.**
So nobody waits for the slowest of a round, and whoever is heard of and is closer is asked at once. A request that takes
longer than its soft time-out is *stalled*: it gives its place to another, but a late answer still counts.
"""

from bisect import insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice

from .contact import Contact
from .endpoint import prefix
from .nodeid import NodeId
from .prefix_limit import Crowd

SURE_TOP = 3
MOST = 3
MAX_ASKED = 200


class PeerState(Enum):
    """What this lookup knows about one peer."""

    HEARD = auto()
    WAITING = auto()
    STALLED = auto()
    QUERIED = auto()
    UNREACHABLE = auto()


UNANSWERED = (PeerState.HEARD, PeerState.WAITING)
OUT = (PeerState.WAITING, PeerState.STALLED)
HOPEFUL = (PeerState.HEARD, PeerState.WAITING, PeerState.QUERIED)


@dataclass(slots=True)
class Peer:
    """Somebody the lookup has heard of, and how far from the target."""

    contact: Contact
    distance: int
    network: bytes | None
    state: PeerState = PeerState.HEARD


def distance_of(peer: Peer) -> int:
    """Return the key by which peers are ordered."""
    return peer.distance


def within(peers: Iterable[Peer], k: int, radius: int) -> Iterator[Peer]:
    """Go through the first ``k`` of ``peers`` and on to all within ``radius``, ``MOST`` times ``k`` in all.

    Of one global network (/24, /56) the first two count: who rents many addresses rents them side by side.
    """
    count = 0
    crowd = Crowd()
    for peer in peers:
        if count >= MOST * k or (count >= k and peer.distance >= radius):
            return
        if crowd.lets_in(peer.network):
            count += 1
            yield peer


def is_sure(candidates: Iterator[Peer]) -> bool:
    """Tell whether the closest three have answered: nobody closer will be heard of."""
    top = list(islice(candidates, SURE_TOP))
    return len(top) == SURE_TOP and all(peer.state is PeerState.QUERIED for peer in top)


class Lookup:
    """Find the ``k`` nodes closest to ``target`` that answer, and all that are closer than ``radius``.

    Once the closest three have answered, the rest is asked at once: the way is found, and only the confirmation is
    missing. Liars who name ever closer nodes that do not exist cannot keep it going: it asks ``max_asked`` at most.
    ``heard`` is the set of ids that this lookup shall not take up (again); lookups that share it are disjoint.
    """

    def __init__(
        self,
        target: NodeId,
        seeds: Iterable[Contact],
        *,
        k: int,
        alpha: int,
        radius: int = 0,
        own_id: NodeId | None = None,
        max_asked: int = MAX_ASKED,
        heard: set[NodeId] | None = None,
    ) -> None:
        self.asked = 0
        self._goal = int.from_bytes(target, "big")
        self._k = k
        self._alpha = alpha
        self._radius = radius
        self._max_asked = max_asked
        self._heard: set[NodeId] = set() if heard is None else heard
        if own_id is not None:
            self._heard.add(own_id)
        self._peers: dict[NodeId, Peer] = {}
        self._order: list[Peer] = []
        self._hear(seeds)

    def __contains__(self, peer: NodeId) -> bool:
        return peer in self._peers

    def next_queries(self) -> list[Contact]:
        """Return the peers to ask now, and count them as asked."""
        width = self._k if self.is_sure else self._alpha
        return self.ask(islice(self.unanswered(), width))

    def ask(self, peers: Iterable[Peer]) -> list[Contact]:
        """Ask those of ``peers`` that have not been asked; return them."""
        asked = []
        for peer in peers:
            if peer.state is PeerState.HEARD and self.asked < self._max_asked:
                peer.state = PeerState.WAITING
                self.asked += 1
                asked.append(peer.contact)
        return asked

    def responded(self, node_id: NodeId, closer: Iterable[Contact]) -> None:
        """Record an answer, in time or late, and the peers it named."""
        if self._move(node_id, OUT, PeerState.QUERIED):
            self._hear(closer)

    def stalled(self, node_id: NodeId) -> None:
        """Record that a peer has taken too long for now; its place is free for another."""
        self._move(node_id, (PeerState.WAITING,), PeerState.STALLED)

    def failed(self, node_id: NodeId) -> None:
        """Record that a peer will not answer any more."""
        self._move(node_id, OUT, PeerState.UNREACHABLE)

    @property
    def done(self) -> bool:
        """True once each candidate that does not stall has answered, or nobody is left to wait for."""
        return self.is_idle and (not self.is_waiting or any(True for _ in self.candidates()))

    @property
    def is_idle(self) -> bool:
        """True when there is nobody to ask, and only who has stalled may still answer."""
        if self.asked >= self._max_asked:
            return all(peer.state is not PeerState.WAITING for peer in self._order)
        return next(self.unanswered(), None) is None

    @property
    def is_waiting(self) -> bool:
        """True while any request is out, stalled ones included."""
        return any(peer.state in OUT for peer in self._order)

    @property
    def is_sure(self) -> bool:
        """True when the closest three have answered: nobody closer will be heard of."""
        return is_sure(self.candidates())

    def result(self) -> list[Contact]:
        """Return the peers that answered, closest first: ``k`` of them and all within the radius."""
        return [peer.contact for peer in within(self.answered(), self._k, self._radius)]

    def stalling(self) -> list[Contact]:
        """Return the peers that took too long and have not answered since."""
        return [peer.contact for peer in self._order if peer.state is PeerState.STALLED]

    def answered(self) -> Iterator[Peer]:
        """Go through all that have answered, closest first."""
        return (peer for peer in self._order if peer.state is PeerState.QUERIED)

    def hopeful(self) -> Iterator[Peer]:
        """Go through all that are neither unreachable nor stalled, closest first."""
        return (peer for peer in self._order if peer.state in HOPEFUL)

    def candidates(self) -> Iterator[Peer]:
        """Go through the closest peers that may still matter."""
        return within(self.hopeful(), self._k, self._radius)

    def unanswered(self) -> Iterator[Peer]:
        """Go through the candidates that have not answered, asked or not, closest first."""
        return (peer for peer in self.candidates() if peer.state in UNANSWERED)

    def _move(self, node_id: NodeId, before: tuple[PeerState, ...], after: PeerState) -> bool:
        peer = self._peers.get(node_id)
        if peer is None or peer.state not in before:
            return False
        peer.state = after
        return True

    def _hear(self, contacts: Iterable[Contact]) -> None:
        for contact in contacts:
            if contact.id not in self._heard:
                self._heard.add(contact.id)
                peer = Peer(contact, contact.long_id ^ self._goal, prefix(contact.endpoint.host))
                self._peers[contact.id] = peer
                insort(self._order, peer, key=distance_of)
