"""Iterative lookup (Kademlia paper, section 2.3) with continuous parallelism, as a pure state machine.

A `Lookup` never touches a socket or a clock. Ask `next_queries()` whom to contact, and report `responded()`,
`stalled()` or `failed()`. Up to ``alpha`` requests are out at any moment: there are no rounds, so nobody waits for
the slowest of a round. A request that takes longer than its soft time-out is *stalled*: it gives its place to
another, but a late answer still counts.
"""

from collections.abc import Iterable
from enum import Enum, auto
from itertools import islice

from .contact import Contact
from .nodeid import NodeId, distance

STABLE_TOP = 3
MAX_ASKED = 200


class PeerState(Enum):
    """What this lookup knows about one peer."""

    HEARD = auto()
    WAITING = auto()
    STALLED = auto()
    QUERIED = auto()
    UNREACHABLE = auto()


class Lookup:
    """Find the ``k`` nodes closest to ``target`` that answer, ``alpha`` requests at a time.

    As soon as an answer brings nobody closer than the best three known, the rest of the ``k`` closest is asked at
    once: the way is found, and only the confirmation is missing. Liars who name ever closer nodes that do not exist
    cannot keep it going: it asks ``max_asked`` at most.
    """

    def __init__(
        self,
        target: NodeId,
        seeds: Iterable[Contact],
        *,
        k: int,
        alpha: int,
        own_id: NodeId | None = None,
        max_asked: int = MAX_ASKED,
    ) -> None:
        self.target = target
        self.asked = 0
        self._k = k
        self._alpha = alpha
        self._own_id = own_id
        self._max_asked = max_asked
        self._contacts: dict[NodeId, Contact] = {}
        self._states: dict[NodeId, PeerState] = {}
        self._order: list[NodeId] = []
        self._hear(seeds)

    def next_queries(self) -> list[Contact]:
        """Return the peers to ask now, and count them as in flight."""
        waiting = sum(state is PeerState.WAITING for state in self._states.values())
        room = max(0, min(self._alpha - waiting, self._max_asked - self.asked))
        heard = [peer for peer in self._candidates() if self._states[peer] is PeerState.HEARD][:room]
        for peer in heard:
            self._states[peer] = PeerState.WAITING
        self.asked += len(heard)
        return [self._contacts[peer] for peer in heard]

    def responded(self, peer: NodeId, closer: Iterable[Contact]) -> None:
        """Record an answer, in time or late, and the peers it named."""
        if self._states.get(peer) not in (PeerState.WAITING, PeerState.STALLED):
            return
        self._states[peer] = PeerState.QUERIED
        best = self._order[:STABLE_TOP]
        self._hear(closer)
        if len(best) == STABLE_TOP and self._order[:STABLE_TOP] == best:
            self._alpha = max(self._alpha, self._k)

    def stalled(self, peer: NodeId) -> None:
        """Record that ``peer`` has taken too long for now; its place is free for another."""
        if self._states.get(peer) is PeerState.WAITING:
            self._states[peer] = PeerState.STALLED

    def failed(self, peer: NodeId) -> None:
        """Record that ``peer`` will not answer any more."""
        if self._states.get(peer) in (PeerState.WAITING, PeerState.STALLED):
            self._states[peer] = PeerState.UNREACHABLE

    @property
    def done(self) -> bool:
        """True once each of the ``k`` closest that do not stall has answered, or nobody is left to wait for."""
        return self.is_idle and (not self.is_waiting or bool(self._candidates()))

    @property
    def is_idle(self) -> bool:
        """True when there is nobody to ask, and only who has stalled may still answer."""
        if self.asked >= self._max_asked:
            return PeerState.WAITING not in self._states.values()
        return all(self._states[peer] is PeerState.QUERIED for peer in self._candidates())

    @property
    def is_waiting(self) -> bool:
        """True while any request is out, stalled ones included."""
        return any(state in (PeerState.WAITING, PeerState.STALLED) for state in self._states.values())

    def result(self) -> list[Contact]:
        """Return the peers that answered, closest first, at most ``k``."""
        answered = (peer for peer in self._order if self._states[peer] is PeerState.QUERIED)
        return [self._contacts[peer] for peer in islice(answered, self._k)]

    def stalling(self) -> list[Contact]:
        """Return the peers that took too long and have not answered since."""
        return [self._contacts[peer] for peer in self._order if self._states[peer] is PeerState.STALLED]

    def _candidates(self) -> list[NodeId]:
        """Return the ``k`` closest peers that may still matter: neither unreachable nor stalled."""
        out = []
        for peer in self._order:
            if self._states[peer] not in (PeerState.UNREACHABLE, PeerState.STALLED):
                out.append(peer)
                if len(out) == self._k:
                    break
        return out

    def _hear(self, contacts: Iterable[Contact]) -> None:
        news = False
        for contact in contacts:
            if contact.id not in self._states and contact.id != self._own_id:
                self._contacts[contact.id] = contact
                self._states[contact.id] = PeerState.HEARD
                self._order.append(contact.id)
                news = True
        if news:
            self._order.sort(key=lambda peer: distance(peer, self.target))
