"""How often strangers may ring or write: in all, from one network and with one key, within the last hour."""

import ipaddress
from collections import deque
from dataclasses import dataclass

HOUR = 3600.0
PREFIX_BITS = {4: 24, 6: 56}


@dataclass(frozen=True)
class Ring:
    """A stranger who was let through, and when. `call` is what it can be told by from others."""

    at: float
    fingerprint: str
    network: str
    proof: str
    call: object


def network_of(host: str) -> str:
    """Return the network that an IP address literal counts for: its /24 or /56; text that is none counts for itself."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None) or address
    return str(ipaddress.ip_network((mapped, PREFIX_BITS[mapped.version]), strict=False))


class Budget:
    """Lets `rings` strangers through in any hour; of one key and of one network its `share`: one less, unless given.

    It remembers those alone whom it let through, so it never holds more than `rings` entries, whoever asks.
    """

    def __init__(self, rings: int, share: int | None = None) -> None:
        self._rings = rings
        self._share = max(rings - 1, 1) if share is None else share
        self._latest: deque[Ring] = deque()

    def __len__(self) -> int:
        return len(self._latest)

    def wait(self, fingerprint: str, host: str, now: float) -> float:
        """Return for how many seconds this stranger may not ring yet; 0 when they may."""
        self._forget(now)
        network = network_of(host)
        of_key = [each.at for each in self._latest if each.fingerprint == fingerprint]
        of_network = [each.at for each in self._latest if each.network == network]
        of_all = [each.at for each in self._latest]
        full = [
            times[-cap]
            for times, cap in ((of_key, self._share), (of_network, self._share), (of_all, self._rings))
            if len(times) >= cap > 0
        ]
        if self._rings <= 0:
            return HOUR
        return max((at + HOUR - now for at in full), default=0.0)

    def take(
        self, fingerprint: str, host: str, now: float, proof: str = "", call: object | None = None
    ) -> None:
        """Count the ring of a call; `wait` has returned 0. `proof` is what the stranger paid with, which pays once."""
        self._latest.append(Ring(now, fingerprint, network_of(host), proof, call))

    def is_spent(self, proof: str) -> bool:
        """Tell whether somebody has rung by that proof in the last hour."""
        return any(each.proof == proof for each in self._latest)

    def give_back(self, call: object) -> None:
        """Forget the ring of this very call, if it was counted: the caller could not show the key."""
        self._latest = deque(each for each in self._latest if each.call is not call)

    def _forget(self, now: float) -> None:
        while self._latest and self._latest[0].at <= now - HOUR:
            self._latest.popleft()
