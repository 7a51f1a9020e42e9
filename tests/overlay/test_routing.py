"""The routing table: exact, bounded, and fair to networks."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint, prefix
from overlay.protocol.nodeid import NodeId, distance
from overlay.protocol.prefix_limit import MAX_PER_PREFIX
from overlay.routing import MeshRoutingTable

K = 4
ME = Contact(NodeId(bytes(20)), Endpoint("127.0.0.1", 1))
ids = st.binary(min_size=20, max_size=20).map(NodeId)


def table() -> MeshRoutingTable:
    """Return an empty table of a node with id 0."""
    return MeshRoutingTable(None, K, ME)


def contact(node_id: bytes, host: str = "127.0.0.1", port: int = 5) -> Contact:
    """Return a contact."""
    return Contact(NodeId(node_id), Endpoint(host, port))


def filled(seed: int, count: int) -> MeshRoutingTable:
    """Return a table to which that many contacts were offered."""
    dice, one = random.Random(seed), table()
    for _ in range(count):
        one.add(contact(dice.randbytes(20)))
    return one


@given(st.integers(0, 2**32), st.integers(0, 200), ids, st.integers(0, 30))
@settings(max_examples=50, deadline=None)
def test_the_nearest_are_exactly_the_nearest(seed: int, count: int, target: NodeId, wanted: int) -> None:
    one = filled(seed, count)
    brute_force = sorted(one, key=lambda c: distance(c.id, target))[:wanted]
    assert one.nearest(target, wanted) == brute_force


@given(st.integers(0, 2**32), st.integers(0, 300))
@settings(max_examples=30, deadline=None)
def test_every_contact_can_be_found_and_no_bucket_is_too_large(seed: int, count: int) -> None:
    one = filled(seed, count)
    assert len(one) == len(list(one))
    assert all(len(bucket) <= K for bucket in one.buckets)
    assert all(one.find(c.id) is c and c.id in one for c in one)
    assert one.find(NodeId(b"\xff" * 20)) is None


def test_our_own_neighbourhood_is_known_completely() -> None:
    one, dice = table(), random.Random(1)
    near = [contact(bytes(3) + dice.randbytes(17)) for _ in range(K)]
    for some in ([contact(dice.randbytes(20)) for _ in range(300)], near):
        for each in some:
            one.add(each)
    assert all(c.id in one for c in near)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
@settings(deadline=None)
def test_ids_that_differ_in_the_last_bits_only_do_not_split_without_end(numbers: list[int]) -> None:
    for base in (b"\x00" * 19, b"\xff" * 19):
        one = table()
        for number in numbers:
            one.add(contact(base + bytes([number])))
        assert len(one.buckets) <= 2 * 160


def test_our_own_id_is_never_wanted() -> None:
    assert not table().wants(contact(ME.id))


def test_wanted_is_who_would_be_taken() -> None:
    one, dice = table(), random.Random(2)
    for _ in range(500):
        each = contact(dice.randbytes(20))
        assert one.wants(each) == one.add(each)
        assert not one.wants(each) or each.id not in one


def test_a_full_bucket_keeps_the_old_ones_and_remembers_a_replacement() -> None:
    one = table()
    far = [contact(bytes([0xF8 + n * 5 % 8]) * 19 + bytes([n])) for n in range(20)]
    taken = [each for each in far if one.add(each)]
    waiting = [each for each in far if each not in taken]
    assert waiting
    promoted = one.remove(taken[0])
    assert taken[0].id not in one
    assert promoted in waiting
    assert promoted in list(one)
    alone = table()
    alone.add(taken[0])
    assert alone.remove(taken[0]) is None


def test_one_global_network_gets_few_places_in_a_bucket() -> None:
    one, dice = table(), random.Random(3)
    for number in range(100):
        one.add(contact(dice.randbytes(20), f"45.0.0.{number}"))
    for bucket in one.buckets:
        for network in {prefix(c.endpoint.host) for c in bucket.nodes.values()}:
            assert sum(prefix(c.endpoint.host) == network for c in bucket.nodes.values()) <= MAX_PER_PREFIX


def test_a_removed_contact_is_not_replaced_by_more_of_one_network_than_allowed() -> None:
    one = table()
    for number in range(K):
        one.add(contact(b"\xff" * 19 + bytes([number]), f"45.0.{number}.1"))
    for number in range(20):
        one.add(contact(b"\xff" * 18 + bytes([1, number]), f"45.9.9.{number}"))
    for each in list(one):
        if not each.endpoint.host.startswith("45.9.9."):
            one.remove(each)
    assert 0 < len(one) <= MAX_PER_PREFIX


def test_a_private_network_has_no_limit() -> None:
    one, dice = table(), random.Random(4)
    taken = sum(one.add(contact(dice.randbytes(20), "192.168.1.1", 1 + n)) for n in range(100))
    assert taken > 2 * MAX_PER_PREFIX


def test_who_moves_keeps_the_place() -> None:
    one = table()
    one.add(contact(b"\xff" * 20, "45.0.0.1"))
    assert one.add(contact(b"\xff" * 20, "45.0.0.9"))
    assert [c.endpoint.host for c in one] == ["45.0.0.9"]


def test_the_names_of_the_base_class_do_the_same() -> None:
    one = table()
    others = [contact(bytes([0x80 + n]) * 20) for n in range(3)]
    for each in others:
        one.add_contact(each)
    assert one.find_neighbors(others[0], k=1) == [others[1]]
    assert one.find_neighbors(ME, exclude=others[0]) == others[1:]
