"""This machine's own addresses, for node records and for ICE."""

import ipaddress
from collections.abc import Iterable

from .protocol.endpoint import Endpoint

UNSPECIFIED = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def usable_addresses() -> list[str]:
    """Return the addresses at which another machine may reach this one, global ones first; else loopback.

    Link-local IPv6 addresses are left out: they mean nothing without an interface.
    """
    import ifaddr

    found = []
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            address = ipaddress.ip_address(ip.ip if isinstance(ip.ip, str) else ip.ip[0])
            useless = address.is_loopback or address.is_unspecified or address.is_multicast
            if not useless and not (address.version == 6 and address.is_link_local):
                found.append(address)
    if not found:
        return ["127.0.0.1"]
    found.sort(key=lambda a: (not a.is_global, a.is_link_local, a.version, a.packed))
    return [str(address) for address in dict.fromkeys(found)]


def reachable_endpoints(listening: Iterable[Endpoint]) -> list[Endpoint]:
    """Return where others reach sockets bound to ``listening``; those bound to all addresses are spelled out."""
    endpoints: list[Endpoint] = []
    machine: list[str] | None = None
    for bound in listening:
        if bound.host not in UNSPECIFIED:
            endpoints.append(bound)
            continue
        if machine is None:
            machine = usable_addresses()
        endpoints += [Endpoint(host, bound.port) for host in machine if (":" in host) == bound.is_v6]
    return endpoints
