"""Node ids follow from keys; distance is a metric."""

import hashlib

from hypothesis import given

from overlay.protocol.nodeid import NodeId, distance, node_id_of

from .strategies import node_ids


def test_the_id_is_the_first_20_bytes_of_the_hash_of_the_key() -> None:
    assert node_id_of(bytes(32)) == hashlib.sha256(bytes(32)).digest()[:20]


@given(node_ids, node_ids, node_ids)
def test_distance_is_a_metric(a: NodeId, b: NodeId, c: NodeId) -> None:
    assert distance(a, a) == 0
    assert (distance(a, b) == 0) == (a == b)
    assert distance(a, b) == distance(b, a)
    assert distance(a, c) <= distance(a, b) + distance(b, c)
