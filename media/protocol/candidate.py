"""One ICE candidate as an SDP attribute (RFC 8839 section 5.1). UDP, component 1 and IP literals only."""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

_FOUNDATION = re.compile(r"[A-Za-z0-9+/]{1,32}")
_NUMBER = re.compile(r"[0-9]{1,10}")
_TYPES = ("host", "srflx", "prflx", "relay")
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
MAX_CANDIDATE_CHARACTERS = 300


@dataclass(frozen=True)
class Candidate:
    """Where one party can perhaps be reached. `kind` is host, srflx, prflx or relay."""

    foundation: str
    priority: int
    host: str
    port: int
    kind: str = "host"

    @classmethod
    def parse(cls, value: str) -> Self | None:
        """Parse what stands behind `a=candidate:`.

        Return None for what we leave out (TCP, RTCP components, host names such as mDNS, unknown types).
        Raise ValueError for what is no candidate.
        """
        words = value.split(" ")
        if len(value) > MAX_CANDIDATE_CHARACTERS or len(words) < 8 or words[6] != "typ":
            raise ValueError("malformed candidate")
        foundation, component, transport, priority, host, port, _, kind = words[:8]
        numbers = (component, priority, port)
        if not _FOUNDATION.fullmatch(foundation) or not all(_NUMBER.fullmatch(n) for n in numbers):
            raise ValueError("malformed candidate")
        if int(priority) >= 2**32 or int(port) >= 2**16:
            raise ValueError("malformed candidate")
        if transport.lower() != "udp" or int(component) != 1 or kind not in _TYPES:
            return None
        address = _literal(host)
        return cls(foundation, int(priority), address, int(port), kind) if address and int(port) else None

    def __str__(self) -> str:
        related = "" if self.kind == "host" else " raddr 0.0.0.0 rport 9"
        return f"{self.foundation} 1 udp {self.priority} {self.host} {self.port} typ {self.kind}{related}"

    @property
    def is_loopback(self) -> bool:
        """Whether it leads back to the machine it is used on."""
        return _address(self.host).is_loopback

    @property
    def is_unicast(self) -> bool:
        """Whether checks may be sent there at all: neither multicast, broadcast nor unspecified."""
        address = _address(self.host)
        return not (address.is_multicast or address.is_unspecified or address == _BROADCAST)


_address = lru_cache(maxsize=256)(ipaddress.ip_address)  # a call's addresses are looked at again and again


def _literal(host: str) -> str | None:
    try:
        address = _address(host)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        return None
    return str(address)
