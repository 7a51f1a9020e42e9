"""What a phone dialled, as the address of a plain SIP domain."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from dataclasses import replace
from functools import lru_cache

from sipgate.protocol.server_location import MAX_NAME
from sipgate.protocol.uri import Uri

MAX_USER = 128
_KEPT = ("transport", "user")
_NO_DOMAINS = frozenset({"localhost", "local", "invalid", "onion", "alt"})  # RFC 6761, 6762, 7686, 9476


def plain_uri(uri: Uri, domain: str, own_hosts: Collection[str]) -> Uri | None:
    """Return the address to call outside of the mesh; None for what means the mesh, or can be nowhere else.

    That has a user, and a host with a dot in it or an IP address that is none of `own_hosts`. No name at the mesh's
    `domain`, mistyped ones below it included, is ever asked of the DNS. Of the parameters those stay that choose
    the way, and `maddr`, which is refused later.
    """
    host = uri.host.rstrip(".").lower()
    if not uri.is_sip or not uri.user or len(uri.user) > MAX_USER or host in own_hosts:
        return None
    if not _is_address(host):
        labels = host.split(".")
        if (
            len(labels) == 1
            or not all(labels)
            or len(host) > MAX_NAME
            or labels[-1] in (domain, *_NO_DOMAINS)
        ):
            return None
    parameters = {name: uri.parameters[name] for name in (*_KEPT, "maddr") if name in uri.parameters}
    return replace(uri, password=None, host=host, parameters=parameters, headers=None)


def shown(uri: Uri) -> str:
    """Return the address as people know it: `sip:carol@example.org`, with the port if there is one."""
    return str(uri.without_parameters())


@lru_cache(maxsize=256)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
