"""Quotas: how much a node keeps for one address, for one network, and in all.

Without them one socket fills the memory of a whole mesh (3,000 values of 60 kB were stored in `kademlia`'s own storage
from one). A store needs a token, so the address that is counted is the true one.
"""

from collections import Counter

from .endpoint import prefix
from .errors import StoreCode, StoreRefused

MAX_VALUES = 10_000
MAX_PER_HOST = 200
MAX_PER_NETWORK = 400


class Quota:
    """Counts values by the host that stored them and by its network; the node's own are not counted."""

    def __init__(self) -> None:
        self._per_host: Counter[str] = Counter()
        self._per_network: Counter[bytes] = Counter()

    def check(self, host: str) -> None:
        """Make sure that ``host`` may store one more.

        Raises:
            StoreRefused: it or its network has stored too much.
        """
        if self._per_host[host] >= MAX_PER_HOST:
            raise StoreRefused(StoreCode.FULL, "too much from one address")
        network = prefix(host)
        if network is not None and self._per_network[network] >= MAX_PER_NETWORK:
            raise StoreRefused(StoreCode.FULL, "too much from one network")

    def add(self, host: str) -> None:
        """Count a value."""
        self._per_host[host] += 1
        network = prefix(host)
        if network is not None:
            self._per_network[network] += 1

    def remove(self, host: str) -> None:
        """Count a value no more."""
        self._per_host[host] -= 1
        if not self._per_host[host]:
            del self._per_host[host]
        network = prefix(host)
        if network is not None:
            self._per_network[network] -= 1
            if not self._per_network[network]:
                del self._per_network[network]
