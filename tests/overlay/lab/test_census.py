"""Who knows whom in a settled mesh."""

from hypothesis import given
from hypothesis import strategies as st

from overlay.lab.census import Census
from overlay.lab.dice import dice
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.nodeid import NodeId
from overlay.routing import MeshRoutingTable

K = 8


def census_of(count: int) -> tuple[Census, list[Contact]]:
    """Return a census of that many members, and they themselves."""
    chance = dice(count)
    contacts = [
        Contact(NodeId(chance.randbytes(20)), Endpoint(f"45.{n >> 8}.{n & 255}.1", 1)) for n in range(count)
    ]
    return Census([c.id for c in contacts], contacts.__getitem__, k=K, seed=1), contacts


@given(st.integers(1, 300), st.integers(0, 2**160 - 1), st.integers(1, 20))
def test_the_nearest_are_exact(members: int, target: int, count: int) -> None:
    census, contacts = census_of(members)
    expected = sorted(range(members), key=lambda n: contacts[n].long_id ^ target)[:count]
    assert census.nearest(target, count) == expected
    odd = [n for n in sorted(range(members), key=lambda n: contacts[n].long_id ^ target) if n % 2]
    assert census.nearest(target, count, lambda n: n % 2 == 1) == odd[:count]


@given(st.integers(1, 300))
def test_a_settled_table_is_one_that_the_routing_rules_would_have_made(members: int) -> None:
    census, contacts = census_of(members)
    own = contacts[0]
    table = MeshRoutingTable(None, K, own)
    for contact in contacts[1:]:
        table.add(contact)
    settled = MeshRoutingTable(None, K, own)
    settled.buckets = census.buckets(own.long_id)
    # The real depth of a bucket is the prefix that its contacts share, by chance more than its range says.
    assert abs(len(settled) - len(table)) <= K + 0.15 * len(table)
    assert all(len(bucket) <= K for bucket in settled.buckets)
    assert own.id not in [contact.id for contact in settled]
    for contact in settled:
        assert settled.find(contact.id) is contact


def test_a_settled_table_is_the_same_each_time() -> None:
    tables = []
    for _ in range(2):
        census, contacts = census_of(200)
        tables.append([c.id for bucket in census.buckets(contacts[0].long_id) for c in bucket.nodes.values()])
    assert tables[0] == tables[1]


def test_the_holders_are_the_k_closest_and_the_region() -> None:
    census, contacts = census_of(300)
    target = contacts[7].long_id ^ 1
    holders = census.holders(target, contacts[0].long_id)
    assert holders[:K] == census.nearest(target, K)
    assert K <= len(holders) <= 3 * K
