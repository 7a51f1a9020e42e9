"""The region: as large as our own, none while too few are known."""

import random

from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.nodeid import NodeId, distance
from overlay.protocol.region import radius

from .test_lookup import nearest

K = 16


def test_about_k_nodes_lie_within_the_radius_of_any_target() -> None:
    dice = random.Random(1)
    nodes = [Contact(NodeId(dice.randbytes(20)), Endpoint("127.0.0.1", 1)) for _ in range(2000)]
    counts = []
    for _ in range(200):
        own, target = NodeId(dice.randbytes(20)), NodeId(dice.randbytes(20))
        within = radius(own, nearest(own, nodes, K), K)
        counts.append(sum(distance(c.id, target) < within for c in nodes))
    assert 14 < sum(counts) / len(counts) < 20
    assert min(counts) >= 2


def test_who_knows_too_few_knows_no_region() -> None:
    few = [Contact(NodeId(bytes(19) + b"x"), Endpoint("127.0.0.1", 1))] * (K - 1)
    assert radius(NodeId(bytes(20)), few, K) == 0
