"""Opens UDP sockets. A simulation passes something else in its place."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

from .protocol.endpoint import Endpoint

OpenSocket = Callable[[Endpoint, asyncio.DatagramProtocol], Awaitable[asyncio.DatagramTransport]]


async def open_udp_socket(
    endpoint: Endpoint, protocol: asyncio.DatagramProtocol
) -> asyncio.DatagramTransport:
    """Return a transport bound to ``endpoint`` that feeds ``protocol``.

    It serves one address family only, so that IPv4 and IPv6 can have the same port.

    Raises:
        OSError: the address is taken, not ours, or of a family that this machine has not.
    """
    made = socket.socket(socket.AF_INET6 if endpoint.is_v6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        if endpoint.is_v6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((endpoint.host, endpoint.port))
    except OSError:
        made.close()
        raise
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: protocol, sock=made)
    return transport
