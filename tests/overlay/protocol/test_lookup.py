"""The laws of a lookup, over random networks with dead, late and lying nodes."""

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.lookup import MAX_ASKED, Lookup
from overlay.protocol.nodeid import NodeId, distance

K, ALPHA = 8, 3
OWN = NodeId(bytes(20))


def contact(dice: random.Random) -> Contact:
    """Draw a contact."""
    return Contact(NodeId(dice.randbytes(20)), Endpoint("127.0.0.1", dice.randrange(1, 65536)))


def nearest(target: NodeId, some: list[Contact], count: int) -> list[Contact]:
    """Return the closest by brute force."""
    return sorted(some, key=lambda c: distance(c.id, target))[:count]


@dataclass
class Network:
    """Nodes that know each other; some are dead, some late. Drives a lookup in random order."""

    seed: int
    size: int = 60
    dead_percent: int = 0
    late_percent: int = 0
    asked: list[NodeId] = field(default_factory=list)
    most_in_flight: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.nodes = [contact(self.dice) for _ in range(self.size)]
        self.dead = {c.id for c in self.nodes if self.dice.randrange(100) < self.dead_percent}
        self.late = {c.id for c in self.nodes if self.dice.randrange(100) < self.late_percent}
        self.target = NodeId(self.dice.randbytes(20))

    def lookup(self) -> Lookup:
        """Return a lookup that knows a few of the nodes."""
        seeds = self.dice.sample(self.nodes, min(4, len(self.nodes)))
        return Lookup(self.target, seeds, k=K, alpha=ALPHA, own_id=OWN)

    def run(self, lookup: Lookup, *, wait_for_all: bool = False) -> None:
        """Answer in random order until the lookup is done (or everybody has answered or failed)."""
        in_flight: list[Contact] = []
        stalled: set[NodeId] = set()
        for _ in range(10_000):
            fresh = lookup.next_queries()
            self.asked += [c.id for c in fresh]
            in_flight += fresh
            self.most_in_flight = max(self.most_in_flight, sum(c.id not in stalled for c in in_flight))
            if lookup.done and not (wait_for_all and lookup.is_waiting):
                return
            assert in_flight, "not done, but nobody is waited for"
            peer = self.dice.choice(in_flight)
            if peer.id in self.late | self.dead and peer.id not in stalled:
                stalled.add(peer.id)
                lookup.stalled(peer.id)
                continue
            in_flight.remove(peer)
            if peer.id in self.dead:
                lookup.failed(peer.id)
            else:
                lookup.responded(peer.id, [*nearest(self.target, self.nodes, K), Contact(OWN, peer.endpoint)])
        raise AssertionError("the lookup does not end")


seeds = st.integers(0, 2**32)
percents = st.integers(0, 100)


@given(seeds, st.integers(1, 60))
def test_when_all_answer_the_result_is_exactly_the_nearest(seed: int, size: int) -> None:
    network = Network(seed, size)
    lookup = network.lookup()
    network.run(lookup)
    assert lookup.result() == nearest(network.target, network.nodes, K)


@given(seeds, percents, percents)
@settings(max_examples=200)
def test_it_always_ends_and_nobody_heard_of_is_closer_than_the_result(
    seed: int, dead: int, late: int
) -> None:
    network = Network(seed, dead_percent=dead, late_percent=late)
    lookup = network.lookup()
    network.run(lookup)
    result = lookup.result()
    assert result == nearest(network.target, result, K)
    assert not {c.id for c in result} & network.dead
    unheard = {c.id for c in nearest(network.target, network.nodes, len(result))} - set(network.asked)
    assert len(result) < K or not unheard


@given(seeds, percents, percents)
def test_nobody_is_asked_twice_and_never_ourselves(seed: int, dead: int, late: int) -> None:
    network = Network(seed, dead_percent=dead, late_percent=late)
    network.run(network.lookup())
    assert len(network.asked) == len(set(network.asked))
    assert OWN not in network.asked


@given(seeds, percents, percents)
def test_never_more_than_alpha_are_in_flight_and_k_at_the_end(seed: int, dead: int, late: int) -> None:
    network = Network(seed, dead_percent=dead, late_percent=late)
    lookup = network.lookup()
    assert len(lookup.next_queries()) <= ALPHA
    assert lookup.next_queries() == []
    network.run(network.lookup())
    assert network.most_in_flight <= K


@given(seeds, percents)
def test_late_answers_count(seed: int, late: int) -> None:
    network = Network(seed, late_percent=late)
    lookup = network.lookup()
    network.run(lookup, wait_for_all=True)
    assert lookup.result() == nearest(network.target, network.nodes, K)


def test_the_slowest_does_not_set_the_pace() -> None:
    network = Network(1)
    lookup = network.lookup()
    first = lookup.next_queries()
    assert lookup.next_queries() == []
    lookup.stalled(first[0].id)
    assert len(lookup.next_queries()) == 1
    lookup.responded(first[0].id, [])
    assert first[0] in lookup.result()


def test_what_comes_after_the_end_of_waiting_changes_nothing() -> None:
    network = Network(2)
    lookup = network.lookup()
    first, second, _ = lookup.next_queries()
    lookup.failed(first.id)
    lookup.responded(first.id, network.nodes)
    lookup.stalled(first.id)
    lookup.responded(second.id, [])
    lookup.failed(second.id)
    lookup.responded(NodeId(b"x" * 20), network.nodes)
    assert lookup.result() == [second]


def test_without_anybody_to_ask_it_is_done() -> None:
    lookup = Lookup(OWN, [], k=K, alpha=ALPHA)
    assert lookup.done
    assert lookup.next_queries() == []
    assert lookup.result() == []


def test_liars_who_name_ever_closer_nodes_cannot_keep_it_going() -> None:
    dice = random.Random(3)
    lookup = Lookup(NodeId(bytes(20)), [contact(dice) for _ in range(4)], k=K, alpha=ALPHA)
    closer = 2**150
    while not lookup.done:
        for peer in lookup.next_queries():
            made_up = []
            for _ in range(20):
                closer -= 1
                made_up.append(Contact(NodeId(closer.to_bytes(20, "big")), Endpoint("127.0.0.1", 9)))
            lookup.responded(peer.id, made_up)
    assert lookup.asked <= MAX_ASKED
