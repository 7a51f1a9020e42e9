"""Whether others can reach this node: judged from what they see of us, and from who reaches us unasked.

A node behind a NAT or a firewall that is in others' tables makes their lookups slow: so it asks to be in nobody's
(the *client* flag, as the IPFS DHT's client mode does) until others prove that it can be reached. The proof is
physical: a request from an address that we have not written to got through. Who is asked to *dial* has others send it.

What one observer says counts little: only an address that two networks agree on is believed.

A laptop at home is reached by its neighbours, and perhaps over IPv6, but not over IPv4: so each *realm* is judged
apart, and the flag depends on whom we write to.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection
from enum import Enum, auto
from typing import NamedTuple

from .endpoint import Endpoint, Scope, pack_host, prefix

MAX_OBSERVERS = 16
AGREEING = 2
PROVING_NETWORKS = 2
PROVING_SECONDS = 3600.0
MAX_DIALERS = 16
FRUITLESS_ROUNDS = 3


class Standing(Enum):
    """What we know of our own place."""

    UNKNOWN = auto()
    """Nobody has answered yet."""
    OPEN = auto()
    """Others reach us, as far as we know: we are in their tables."""
    PROVEN = auto()
    """Others have reached us unasked."""
    CLOSED = auto()
    """Behind a NAT or a firewall: we take part as a client."""


class Realm(NamedTuple):
    """Part of the net: one address family, the world or what is nearer."""

    is_v6: bool
    is_global: bool


REALMS = (Realm(False, True), Realm(True, True), Realm(False, False), Realm(True, False))
"""All there are, the widest first."""


def realm_of(endpoint: Endpoint) -> Realm:
    """Return where an endpoint is."""
    return Realm(endpoint.is_v6, endpoint.scope is Scope.WORLD)


class Reachability:
    """Judges one realm; ``now`` is in seconds of any steady clock. Hosts and endpoints of that realm only.

    | observed by others | dial-backs | standing |
    | --- | --- | --- |
    | nothing yet, or they differ | | UNKNOWN |
    | one of our own private addresses | | OPEN: on a LAN nobody else is needed |
    | any | from two networks within an hour, and since then not asked for three times in vain | PROVEN |
    | one of our own global addresses | none yet, or not asked for three times | OPEN |
    | one of our own global addresses | asked for three times, none came | CLOSED: a firewall |
    | another address | | CLOSED: a NAT |

    A proof has no date of expiry: in a small mesh, where everybody has heard from us, nobody could renew it.
    """

    def __init__(self) -> None:
        self._observed: OrderedDict[bytes, Endpoint] = OrderedDict()
        self._dialers: OrderedDict[bytes, float] = OrderedDict()
        self._is_proven = False
        self._fruitless = 0
        self._host = ""

    def observe(self, observer: str, endpoint: Endpoint) -> bool:
        """Take in how the node at the host ``observer`` sees us; one voice for each network. True if that is news."""
        network = _voice(observer)
        is_news = self._observed.get(network) != endpoint
        self._observed[network] = endpoint
        self._observed.move_to_end(network)
        if len(self._observed) > MAX_OBSERVERS:
            self._observed.popitem(last=False)
        if is_news:
            self._follow()
        return is_news

    def _follow(self) -> None:
        """What was proven of another address tells nothing."""
        host, voices = self._most_voices()
        if voices >= AGREEING and host != self._host:
            if self._host:
                self._forget_proofs()
            self._host = host

    def reached_by(self, host: str, now: float) -> None:
        """Take in that a request came from an address we have not written to."""
        network = _voice(host)
        self._dialers[network] = now
        self._dialers.move_to_end(network)
        self._fruitless = 0
        if len(self._dialers) > MAX_DIALERS:
            self._dialers.popitem(last=False)
        if sum(now - since < PROVING_SECONDS for since in self._dialers.values()) >= PROVING_NETWORKS:
            self._is_proven = True

    def asked_in_vain(self) -> None:
        """Take in that others were asked to dial, said that they would, and nobody came."""
        self._fruitless += 1
        if self._fruitless >= FRUITLESS_ROUNDS:
            self._dialers.clear()
            self._is_proven = False

    def moved(self) -> None:
        """Forget all: our addresses have changed."""
        self._observed.clear()
        self._forget_proofs()
        self._host = ""

    def _forget_proofs(self) -> None:
        self._dialers.clear()
        self._is_proven = False
        self._fruitless = 0

    def seen_as(self, own: Collection[str]) -> Endpoint | None:
        """Return the endpoint that most others see, when two networks agree; else our own address if any sees that.

        Behind a NAT that gives each destination another port (symmetric), the hosts agree and the ports do not: the
        newest counts. The first one to answer is believed until there is a second.
        """
        host, voices = self._most_voices()
        for endpoint in reversed(self._observed.values()):
            agreed = endpoint.host == host if voices >= AGREEING else _is_own(endpoint, own)
            if agreed or len(self._observed) == 1:
                return endpoint
        return None

    def _most_voices(self) -> tuple[str, int]:
        hosts = Counter(endpoint.host for endpoint in self._observed.values())
        return max(hosts.items(), key=lambda one: one[1], default=("", 0))

    def standing(self, own: Collection[str]) -> Standing:
        """Judge; ``own`` are the hosts of our own interfaces."""
        seen = self.seen_as(own)
        if seen is None:
            return Standing.UNKNOWN
        if self._is_proven:
            return Standing.PROVEN
        if not _is_own(seen, own):
            return Standing.CLOSED
        if prefix(seen.host) is None:
            return Standing.OPEN
        return Standing.CLOSED if self._fruitless >= FRUITLESS_ROUNDS else Standing.OPEN


def _is_own(endpoint: Endpoint, own: Collection[str]) -> bool:
    return endpoint.host in own or endpoint.is_loopback


def _voice(host: str) -> bytes:
    """Return what has one voice: a network of the world, a host of a LAN."""
    return prefix(host) or pack_host(host)
