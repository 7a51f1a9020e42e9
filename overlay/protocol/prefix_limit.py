"""Two of one network: how many ids side by side in the address space count as independent.

Ids cost a key each and can be ground; addresses in many networks cost money. So of one global /24 (IPv4) or /56 (IPv6)
two contacts at most stand in a bucket, two claims under a name, two nodes among those that a lookup asks near a target
(BEP 42 and the Sybil defences of the IPFS DHT limit by address for the same reason). Private addresses are not
limited: on a LAN or behind one NAT many honest nodes are neighbours.
"""

from collections.abc import Iterable

from .endpoint import prefix

MAX_PER_PREFIX = 2


def is_crowded(others: Iterable[str], host: str) -> bool:
    """Tell whether ``host``'s network has its share already among the hosts ``others``."""
    network = prefix(host)
    if network is None:
        return False
    return sum(prefix(other) == network for other in others) >= MAX_PER_PREFIX


class Crowd:
    """Counts as one goes through a list of networks (`endpoint.prefix`)."""

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}

    def lets_in(self, network: bytes | None) -> bool:
        """Count one of this network; False when it has had its share."""
        if network is None:
            return True
        count = self._counts[network] = self._counts.get(network, 0) + 1
        return count <= MAX_PER_PREFIX
