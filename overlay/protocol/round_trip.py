"""How long to wait for a contact: an estimate per contact after Jacobson (RFC 6298), and one for strangers.

When the time is up, another is asked as well, or the same again where there is no other; a late answer still counts.
So the estimates may be bolder than a retransmission timer's: they start from half the variance, and strangers get two
variances.
"""

from collections import OrderedDict
from dataclasses import dataclass

SOFT_MIN, SOFT_UNKNOWN, SOFT_MAX = 0.05, 0.4, 1.0
HARD = 2.5
MAX_REMEMBERED = 4096


@dataclass
class _Estimate:
    srtt: float
    var: float

    def learn(self, sample: float, gain: float) -> None:
        self.var += 2 * gain * (abs(self.srtt - sample) - self.var)
        self.srtt += gain * (sample - self.srtt)


class RoundTrips:
    """Learns from each answer; all times in seconds. Remembers a bounded number of addresses."""

    def __init__(self) -> None:
        self._each: OrderedDict[tuple[str, int], _Estimate] = OrderedDict()
        self._all: _Estimate | None = None

    def learn(self, address: tuple[str, int], sample: float) -> None:
        """Take in how long an answer from ``address`` took."""
        known = self._each.get(address)
        if known is None:
            self._each[address] = _Estimate(sample, sample / 4)
            while len(self._each) > MAX_REMEMBERED:
                self._each.popitem(last=False)
        else:
            known.learn(sample, 1 / 8)
            self._each.move_to_end(address)
        if self._all is None:
            self._all = _Estimate(sample, sample / 4)
        else:
            self._all.learn(sample, 1 / 10)

    def soft_timeout(self, address: tuple[str, int]) -> float:
        """Return after how long a request gives up its place to another, though a late answer still counts."""
        estimate = self._each.get(address)
        if estimate is not None:
            wait = estimate.srtt + 4 * estimate.var
        elif self._all is not None:
            wait = self._all.srtt + 2 * self._all.var
        else:
            wait = SOFT_UNKNOWN
        return min(SOFT_MAX, max(SOFT_MIN, wait))
