"""Disjoint paths: what one liar leads astray, the others find."""

import random

from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.contact import Contact
from overlay.protocol.disjoint import EARLY, NARROW, PATHS, WIDE, DisjointLookup
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.nodeid import NodeId

from .test_lookup import contact, nearest

K = 16


def test_at_first_each_path_asks_one() -> None:
    dice = random.Random(1)
    some = [contact(dice) for _ in range(K)]
    lookup = DisjointLookup(NodeId(bytes(20)), some, k=K)
    assert len(lookup.next_queries()) == PATHS
    assert lookup.next_queries() == []


def test_where_the_targets_neighbours_are_near_more_are_asked_at_once() -> None:
    dice = random.Random(1)
    target = NodeId(bytes(20))
    some = nearest(target, [contact(dice) for _ in range(200)], K)
    lookup = DisjointLookup(target, some, k=K, radius=int(some[-1].long_id / EARLY) + 1)
    first = lookup.next_queries()
    assert set(some[:WIDE]) <= set(first)
    assert len(first) <= WIDE + PATHS - NARROW


@given(st.integers(0, 2**32))
def test_three_liars_among_the_first_asked_do_not_hide_the_nearest(seed: int) -> None:
    """Liars name each other only, nearer and nearer, with true ids, as many as they like (S/Kademlia, section 4.4)."""
    dice = random.Random(seed)
    target = NodeId(dice.randbytes(20))
    honest = [contact(dice) for _ in range(300)]
    liars = [contact(dice) for _ in range(100)]
    best = nearest(target, honest, K)
    seeds = [*nearest(target, dice.sample(liars, 20), 3), *nearest(target, dice.sample(honest, 60), K - 3)]
    ids_of_liars = {c.id for c in liars}
    lookup = DisjointLookup(target, seeds, k=K)
    while not lookup.done:
        for peer in lookup.next_queries():
            friends: list[Contact] = liars if peer.id in ids_of_liars else honest
            lookup.responded(peer.id, nearest(target, friends, K))
    found = [c for c in lookup.result() if c.id not in ids_of_liars]
    assert found == best[: len(found)]
    assert len(found) >= K // 4


def test_who_is_ground_next_to_the_target_does_not_push_the_region_out() -> None:
    """Twenty ids next to the target, at an address each: the honest ones around it are asked all the same."""
    dice = random.Random(5)
    target = NodeId(bytes(20))
    honest = [contact(dice) for _ in range(300)]
    region = nearest(target, honest, K)
    ground = [Contact(NodeId(bytes(17) + dice.randbytes(3)), Endpoint(f"45.0.{n}.1", 1)) for n in range(20)]
    lookup = DisjointLookup(target, dice.sample(honest, K), k=K, radius=region[-1].long_id + 1)
    while not lookup.done:
        for peer in lookup.next_queries():
            lookup.responded(peer.id, [] if peer in ground else [*ground, *nearest(target, honest, K)])
    assert set(region) <= set(lookup.result())


@given(st.integers(0, 2**32))
def test_who_is_settled_stays_in_the_result_when_nobody_stalls(seed: int) -> None:
    dice = random.Random(seed)
    target = NodeId(dice.randbytes(20))
    mesh = nearest(target, [contact(dice) for _ in range(100)], 100)
    lookup = DisjointLookup(
        target, dice.sample(mesh, K), k=K, radius=mesh[K // 2].long_id ^ int.from_bytes(target, "big")
    )
    told: set[NodeId] = set()
    waiting: list[Contact] = []
    while not lookup.done:
        waiting += lookup.next_queries()
        peer = waiting.pop(dice.randrange(len(waiting)))
        lookup.responded(peer.id, mesh[:K])
        told |= {c.id for c in lookup.settled()}
    assert told == {c.id for c in lookup.result()} == {c.id for c in mesh[:K]}
