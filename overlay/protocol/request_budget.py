"""How many requests a node answers: so many per network, so many in all; the rest is dropped unanswered."""

from collections import OrderedDict
from dataclasses import dataclass

from .endpoint import prefix

PER_NETWORK_RATE, PER_NETWORK_BURST = 100.0, 300.0
ALL_RATE, ALL_BURST = 2000.0, 4000.0
MAX_NETWORKS = 4096


@dataclass
class Bucket:
    """A token bucket: ``left`` requests at the time ``at`` (seconds)."""

    left: float
    at: float

    def take(self, rate: float, burst: float, now: float) -> bool:
        """Take one, after it was filled up at ``rate`` per second to at most ``burst``; False when it is empty."""
        self.left = min(burst, self.left + rate * max(0.0, now - self.at))
        self.at = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


class RequestBudget:
    """Token buckets (rates per second, bursts): one for each global network (/24, /56), one for all together."""

    def __init__(
        self,
        each: tuple[float, float] = (PER_NETWORK_RATE, PER_NETWORK_BURST),
        together: tuple[float, float] = (ALL_RATE, ALL_BURST),
    ) -> None:
        self._each_rate, self._each_burst = each
        self._all_rate, self._all_burst = together
        self._all = Bucket(self._all_burst, 0.0)
        self._networks: OrderedDict[bytes, Bucket] = OrderedDict()

    def allows(self, host: str, now: float) -> bool:
        """Take one request of ``host`` from its budget; False when it has none left."""
        network = prefix(host)
        if network is not None:
            bucket = self._networks.get(network)
            if bucket is None:
                bucket = self._networks[network] = Bucket(self._each_burst, now)
                if len(self._networks) > MAX_NETWORKS:
                    self._networks.popitem(last=False)
            self._networks.move_to_end(network)
            if not bucket.take(self._each_rate, self._each_burst, now):
                return False
        return self._all.take(self._all_rate, self._all_burst, now)
