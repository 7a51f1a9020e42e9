"""The region of a target: how far from it the ``k`` nodes that should hold its values are expected to be.

Ids cannot be chosen, but ground: for some hours of computing, somebody has 20 ids closer to one target than anybody
else, and a directory that stores on the ``k`` closest alone has then lost that value. Nobody can grind away the honest
nodes around the target, though. So values go to, and are looked for at, the ``k`` closest **and** all nodes nearer than
the distance within which ``k`` are to be expected, given how dense the mesh is where we are ourselves.
"""

from collections.abc import Sequence

from .contact import Contact
from .nodeid import NodeId, distance


def radius(own_id: NodeId, nearest: Sequence[Contact], k: int) -> int:
    """Return the distance within which ``k`` nodes are expected; 0 while fewer than ``k`` are known.

    ``nearest``: the contacts closest to us, closest first. It is a region of the size of our own.
    """
    return distance(own_id, nearest[k - 1].id) if len(nearest) >= k else 0
