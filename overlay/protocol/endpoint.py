"""Where a node listens: IP address and port, as text and in compact form (BEP 5 and BEP 32)."""

import ipaddress
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from .errors import WireError

V4_BYTES, V6_BYTES = 6, 18


class Scope(IntEnum):
    """How far an address means the same host."""

    MACHINE = 0
    LAN = 1
    WORLD = 2


@dataclass(frozen=True, order=True)
class Endpoint:
    """An IP address literal and a port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Endpoint":
        """Read ``192.0.2.1:7350`` or ``[2001:db8::1]:7350``. A scope id (``%eth0``) means nothing to others: refused.

        Raises:
            ValueError: the text is neither.
        """
        host, colon, port = text.rpartition(":")
        if not colon or not port.isascii() or not port.isdigit() or not 0 <= int(port) <= 65535:
            raise ValueError(f"{text!r} is no IP address with a port")
        bracketed = host.startswith("[") and host.endswith("]")
        try:
            address = ipaddress.ip_address(host[1:-1] if bracketed else host)
        except ValueError as error:
            raise ValueError(f"{text!r} is no IP address with a port") from error
        if bracketed != (address.version == 6) or "%" in host:
            raise ValueError(f"{text!r} is no IP address with a port")
        return cls(str(address), int(port))

    @classmethod
    def unpack(cls, data: bytes) -> "Endpoint":
        """Read the compact form: 4 or 16 address bytes and 2 port bytes.

        Raises:
            WireError: another length, port 0, or an address that is not one node's.
        """
        if len(data) not in (V4_BYTES, V6_BYTES):
            raise WireError("endpoint length")
        port = int.from_bytes(data[-2:], "big")
        if port == 0:
            raise WireError("port 0")
        return cls(_host(data[:-2]), port)

    def pack(self) -> bytes:
        """Return the compact form."""
        return pack_host(self.host) + self.port.to_bytes(2, "big")

    @property
    def is_v6(self) -> bool:
        """True for an IPv6 address."""
        return ":" in self.host

    @property
    def is_loopback(self) -> bool:
        """True for an address that means this machine."""
        return self.host == "::1" or self.host.startswith("127.")

    @property
    def scope(self) -> Scope:
        """How far away this address still means the same host."""
        if self.is_loopback:
            return Scope.MACHINE
        return Scope.LAN if prefix(self.host) is None else Scope.WORLD

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.is_v6 else f"{self.host}:{self.port}"


@lru_cache(4096)
def _host(packed: bytes) -> str:
    """Return the address as text; whatever others name, we send to single hosts only."""
    address = ipaddress.ip_address(packed)
    everybody = packed == b"\xff\xff\xff\xff"
    disguised = address.version == 6 and address.ipv4_mapped is not None
    if address.is_multicast or address.is_unspecified or everybody or disguised:
        raise WireError("address")
    return str(address)


@lru_cache(4096)
def pack_host(host: str) -> bytes:
    """Return the bytes of an IP address; a scope id is dropped."""
    return ipaddress.ip_address(host.partition("%")[0]).packed


@lru_cache(4096)
def prefix(host: str) -> bytes | None:
    """Return the network that one owner probably holds, /24 or /56; None for addresses that are not global.

    On a LAN or one machine many honest nodes share a prefix, so no limit by prefix holds there.
    """
    address = ipaddress.ip_address(host.partition("%")[0])
    if not address.is_global:
        return None
    return address.packed[:3] if address.version == 4 else address.packed[:7]
