"""Which way requests to a phone go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .addresses import literal
from .protocol.uri import Uri
from .transport import Flow, Hop, TransportName

Way: TypeAlias = Flow | Hop

SIP_PORT = 5060


@dataclass(frozen=True)
class Route:
    """Where requests to a phone go, and our own address as the phone knows it."""

    ways: tuple[Way, ...]
    local_host: str


def ways_to(contact: Uri, flow: Flow) -> tuple[Way, ...]:
    """Return the ways to a phone that gave `contact` in a request that came on `flow`, best first.

    A connection is used as long as it is open. A Contact is believed when it names the host that the request
    came from; else (an address behind a NAT, a host name) the answer goes where the request came from.
    """
    ways: list[Way] = []
    if flow.transport != "udp" and not flow.is_closed:
        ways.append(flow)
    if flow.transport == "tls":
        return (flow,)  # nobody could prove to be the phone at another connection
    transport = transport_of(contact, flow.transport)
    port = contact.port or SIP_PORT
    if same_host(contact.host, flow.remote[0]) and (transport, port) != ("udp", flow.remote[1]) and port:
        ways.append(Hop(transport, flow.remote[0], port))
    elif flow.transport == "udp":
        ways.append(flow)
    return tuple(ways) or (flow,)


def transport_of(contact: Uri, default: TransportName) -> TransportName:
    """Return the transport that a Contact asks for."""
    asked = (contact.parameters.get("transport") or "").lower()
    if asked == "udp":
        return "udp"
    return "tcp" if asked == "tcp" else default


def same_host(host: str, address: str) -> bool:
    """Tell whether a URI's host is this IP address."""
    try:
        return literal(host.strip("[]")) == literal(address)
    except ValueError:
        return False


def host_in_uri(address: str) -> str:
    """Return an IP literal as it stands in a URI."""
    return f"[{address}]" if ":" in address else address
