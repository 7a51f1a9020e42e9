"""Which addresses a domain of the Internet may send us to: never our own machine, our LAN, or a group of hosts."""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052


def is_public(address: str) -> bool:
    """Tell whether an IP literal is a unicast address of the public Internet.

    One that carries an IPv4 address inside (mapped, 6to4, Teredo, NAT64) is only as public as that one.
    """
    found = _address(address)
    if found is None or found.is_multicast or not found.is_global:
        return False
    return all(inner.is_global and not inner.is_multicast for inner in _inside(found))


def is_unicast(address: str) -> bool:
    """Tell whether an IP literal is one host, wherever it may be."""
    found = _address(address)
    return found is not None and not (
        found.is_multicast or found.is_unspecified or str(found) == "255.255.255.255"
    )


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return None if "%" in text else ipaddress.ip_address(text)
    except ValueError:
        return None


def _inside(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    if isinstance(address, ipaddress.IPv4Address):
        return []
    found = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [each for each in found if each is not None]
