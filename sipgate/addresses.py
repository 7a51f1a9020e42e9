"""Our own addresses, as others see them."""

from __future__ import annotations

import ipaddress
import socket
from functools import lru_cache

from .transport import Flow


@lru_cache(maxsize=256)
def literal(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Return the address that an IP literal means; raise ValueError for a name. A call asks for few of them, often."""
    return ipaddress.ip_address(host)


def our_address_on(flow: Flow) -> str:
    """Return our own IP address on a flow, also when its socket is bound to all addresses."""
    return our_address_towards(flow.remote[0]) if _is_wildcard(flow.local[0]) else flow.local[0]


def our_address_towards(remote: str) -> str:
    """Return the address that the system would send from to an IP literal; nothing is sent."""
    family = socket.AF_INET6 if ":" in remote else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote, 9))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(probe.getsockname()[0])


def _is_wildcard(address: str) -> bool:
    try:
        return literal(address).is_unspecified
    except ValueError:
        return True


def is_our_address(host: str) -> bool:
    """Tell whether an IP literal is an address of this machine."""
    try:
        literal(host)
    except ValueError:
        return False
    return our_address_towards(host) == host


def free_port(host: str, port: int) -> int:
    """Return `port`, or a free one for 0, that UDP and TCP both have; raise OSError when it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    tries = 1 if port else 20
    while True:
        tries -= 1
        with (
            socket.socket(family, socket.SOCK_STREAM) as tcp,
            socket.socket(family, socket.SOCK_DGRAM) as udp,
        ):
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            udp.bind((host, port))
            found = int(udp.getsockname()[1])
            try:
                tcp.bind((host, found))
            except OSError:
                if not tries:
                    raise
                continue
            return found
