"""Network address translators, by how they map and filter (RFC 4787; the four names are RFC 3489's)."""

from dataclasses import dataclass, field
from enum import Enum

Address = tuple[str, int]
FIRST_PORT = 40_000
MAPPING_SECONDS = 120.0
"""RFC 4787, REQ-5: two minutes at least."""


class NatKind(Enum):
    """Who may send to a mapping, and whether each destination gets a mapping of its own."""

    FULL_CONE = "full-cone"
    ADDRESS_RESTRICTED = "address-restricted"
    PORT_RESTRICTED = "port-restricted"
    SYMMETRIC = "symmetric"


@dataclass
class _Mapping:
    inner: Address
    port: int
    used: float
    written_to: dict[Address | str, float] = field(default_factory=dict)
    """When something was last sent to an address, and to a host."""


class Nat:
    """One translator with the public address ``host``.

    Outgoing datagrams keep a mapping alive, incoming ones do not (RFC 4787, REQ-6).
    """

    def __init__(self, kind: NatKind, host: str, *, mapping_seconds: float = MAPPING_SECONDS) -> None:
        self.host = host
        self._kind = kind
        self._seconds = mapping_seconds
        self._by_flow: dict[tuple[Address, Address | None], _Mapping] = {}
        self._by_port: dict[int, _Mapping] = {}
        self._next_port = FIRST_PORT

    def outgoing(self, inner: Address, destination: Address, now: float) -> Address:
        """Return the public address that ``destination`` sees."""
        flow = (inner, destination if self._kind is NatKind.SYMMETRIC else None)
        mapping = self._by_flow.get(flow)
        if mapping is None or now - mapping.used > self._seconds:
            mapping = _Mapping(inner, self._next_port, now)
            self._next_port += 1
            self._by_flow[flow] = self._by_port[mapping.port] = mapping
        mapping.used = now
        mapping.written_to[destination] = mapping.written_to[destination[0]] = now
        return self.host, mapping.port

    def incoming(self, port: int, source: Address, now: float) -> Address | None:
        """Return whom inside a datagram from ``source`` to ``port`` reaches, None when it is filtered."""
        mapping = self._by_port.get(port)
        if mapping is None or now - mapping.used > self._seconds or not self._lets_in(mapping, source, now):
            return None
        return mapping.inner

    def _lets_in(self, mapping: _Mapping, source: Address, now: float) -> bool:
        if self._kind is NatKind.FULL_CONE:
            return True
        known_as = source[0] if self._kind is NatKind.ADDRESS_RESTRICTED else source
        return now - mapping.written_to.get(known_as, -self._seconds - 1) <= self._seconds
