"""The laws of a lookup, over random networks with dead, late and lying nodes."""

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overlay.protocol.contact import Contact
from overlay.protocol.disjoint import PATHS, WIDE, DisjointLookup
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.lookup import MAX_ASKED, MOST, Lookup
from overlay.protocol.nodeid import NodeId, distance
from overlay.protocol.prefix_limit import MAX_PER_PREFIX

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
    disjoint: bool
    size: int = 60
    radius_bits: int = 0
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

    @property
    def radius(self) -> int:
        """Return the size of the region, 0 for none."""
        return 2**self.radius_bits if self.radius_bits else 0

    def lookup(self) -> Lookup | DisjointLookup:
        """Return a lookup that knows a few of the nodes."""
        seeds = self.dice.sample(self.nodes, min(4, len(self.nodes)))
        if self.disjoint:
            return DisjointLookup(self.target, seeds, k=K, radius=self.radius, own_id=OWN)
        return Lookup(self.target, seeds, k=K, alpha=ALPHA, radius=self.radius, own_id=OWN)

    def expected(self) -> list[Contact]:
        """Return what a lookup should find: the nearest and all in the region, with a bound."""
        order = nearest(self.target, self.nodes, MOST * K)
        return [c for place, c in enumerate(order) if place < K or distance(c.id, self.target) < self.radius]

    def run(self, lookup: Lookup | DisjointLookup, *, wait_for_all: bool = False) -> None:
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
                lookup.responded(
                    peer.id, [*nearest(self.target, self.nodes, MOST * K), Contact(OWN, peer.endpoint)]
                )
        raise AssertionError("the lookup does not end")


seeds = st.integers(0, 2**32)
percents = st.integers(0, 100)
both_kinds = pytest.mark.parametrize("disjoint", [False, True])


@both_kinds
@given(seeds, st.integers(1, 60), st.integers(0, 160))
def test_when_all_answer_the_result_is_exactly_the_nearest_and_the_region(
    disjoint: bool, seed: int, size: int, radius_bits: int
) -> None:
    network = Network(seed, disjoint, size, radius_bits)
    lookup = network.lookup()
    network.run(lookup)
    assert lookup.result() == network.expected()


@both_kinds
@given(seeds, percents, percents)
@settings(max_examples=200)
def test_it_always_ends_and_nobody_heard_of_is_closer_than_the_result(
    disjoint: bool, seed: int, dead: int, late: int
) -> None:
    network = Network(seed, disjoint, dead_percent=dead, late_percent=late)
    lookup = network.lookup()
    network.run(lookup)
    result = lookup.result()
    assert result == nearest(network.target, result, K)
    assert not {c.id for c in result} & network.dead
    unheard = {c.id for c in nearest(network.target, network.nodes, len(result))} - set(network.asked)
    assert len(result) < K or not unheard


@both_kinds
@given(seeds, percents, percents)
def test_nobody_is_asked_twice_and_never_ourselves(disjoint: bool, seed: int, dead: int, late: int) -> None:
    network = Network(seed, disjoint, dead_percent=dead, late_percent=late)
    network.run(network.lookup())
    assert len(network.asked) == len(set(network.asked))
    assert OWN not in network.asked


@given(seeds)
def test_the_alpha_closest_that_have_not_answered_are_being_asked(seed: int) -> None:
    network = Network(seed, disjoint=False)
    lookup = network.lookup()
    assert isinstance(lookup, Lookup)
    first = lookup.next_queries()
    assert len(first) == ALPHA
    assert lookup.next_queries() == []
    closest = nearest(network.target, network.nodes, ALPHA)
    lookup.responded(first[-1].id, network.nodes)
    now_asked = [peer.contact for peer, _ in zip(lookup.unanswered(), range(ALPHA), strict=False)]
    lookup.next_queries()
    assert [c for c in closest if c.id != first[-1].id] == now_asked[
        : len([c for c in closest if c != first[-1]])
    ]


@both_kinds
@given(seeds, percents, percents)
def test_parallelism_is_bounded(disjoint: bool, seed: int, dead: int, late: int) -> None:
    network = Network(seed, disjoint, dead_percent=dead, late_percent=late)
    network.run(network.lookup())
    assert network.most_in_flight <= K + max(ALPHA, PATHS, WIDE) * 2


@both_kinds
@given(seeds, percents)
def test_late_answers_count(disjoint: bool, seed: int, late: int) -> None:
    network = Network(seed, disjoint, late_percent=late)
    lookup = network.lookup()
    network.run(lookup, wait_for_all=True)
    assert lookup.result() == nearest(network.target, network.nodes, K)


def test_the_slowest_does_not_set_the_pace() -> None:
    network = Network(1, disjoint=False)
    lookup = network.lookup()
    first = lookup.next_queries()
    assert lookup.next_queries() == []
    lookup.stalled(first[0].id)
    assert len(lookup.next_queries()) == 1
    lookup.responded(first[0].id, [])
    assert first[0] in lookup.result()


@both_kinds
def test_what_comes_after_the_end_of_waiting_changes_nothing(disjoint: bool) -> None:
    network = Network(2, disjoint)
    lookup = network.lookup()
    first, second, *_ = lookup.next_queries()
    lookup.failed(first.id)
    lookup.responded(first.id, network.nodes)
    lookup.stalled(first.id)
    lookup.responded(second.id, [])
    lookup.failed(second.id)
    lookup.responded(NodeId(b"x" * 20), network.nodes)
    assert lookup.result() == [second]


@pytest.mark.parametrize("lookup", [Lookup(OWN, [], k=K, alpha=ALPHA), DisjointLookup(OWN, [], k=K)])
def test_without_anybody_to_ask_it_is_done(lookup: Lookup | DisjointLookup) -> None:
    assert lookup.done
    assert lookup.next_queries() == []
    assert lookup.result() == []


@both_kinds
def test_liars_who_name_ever_closer_nodes_cannot_keep_it_going(disjoint: bool) -> None:
    dice = random.Random(3)
    network = Network(3, disjoint)
    network.target = OWN
    lookup = network.lookup()
    closer = 2**150
    while not lookup.done:
        for peer in lookup.next_queries():
            made_up = []
            for _ in range(20):
                closer -= 1
                made_up.append(
                    Contact(NodeId(closer.to_bytes(20, "big")), Endpoint("127.0.0.1", dice.randrange(1, 9)))
                )
            lookup.responded(peer.id, made_up)
    assert lookup.asked <= MAX_ASKED


@both_kinds
def test_of_one_global_network_two_count(disjoint: bool) -> None:
    honest = Network(4, disjoint).nodes
    crowd = [
        Contact(NodeId(bytes(18) + n.to_bytes(2, "big")), Endpoint(f"45.0.0.{n}", 1)) for n in range(1, 40)
    ]
    everybody, target = [*crowd, *honest], NodeId(bytes(20))
    lookup: Lookup | DisjointLookup = Lookup(target, everybody, k=K, alpha=ALPHA)
    if disjoint:
        lookup = DisjointLookup(target, everybody, k=K)
    while not lookup.done:
        for peer in lookup.next_queries():
            lookup.responded(peer.id, everybody)
    result = lookup.result()
    assert sum(c in crowd for c in result) == MAX_PER_PREFIX
    assert [c for c in result if c in honest] == nearest(target, honest, K - MAX_PER_PREFIX)
