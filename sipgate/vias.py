"""Our own Via: what we call ourselves towards whom, and when a request is too long for UDP."""

from __future__ import annotations

import socket
from collections.abc import Callable

from .addresses import literal
from .protocol.message import Request
from .protocol.privacy import HOST
from .protocol.transaction_keys import MAGIC_COOKIE
from .protocol.via import Via
from .transport import Address, Flow, Hop, TransportName

MAX_UDP_REQUEST = 1300  # bytes; RFC 3261 18.1.1, when the path MTU is not known
_VIA_BYTES = 120
_MAX_REMEMBERED = 256


class Vias:
    """Writes the top Via of what we send."""

    def __init__(self, token: Callable[[], str]) -> None:
        self._token = token
        self._listening: dict[tuple[TransportName, bool], Address] = {}
        self._no_tcp: dict[Address, None] = {}

    def listens(self, transport: TransportName, address: Address) -> None:
        """Learn that requests can reach us at an address. The first one for a transport is named in Vias."""
        self._listening.setdefault((transport, ":" in address[0]), address)

    def add(self, request: Request, flow: Flow) -> Request:
        """Return a copy of a request with our Via, with a fresh branch, on top."""
        host, port = flow.local
        if flow.transport != "udp":
            port = self._listening.get((flow.transport, ":" in host), (host, port))[1]
        if literal(host).is_unspecified:
            host = self.local_host(flow.remote[0]) or host
        name = f"[{host}]" if ":" in host else host
        parameters = {"branch": f"{MAGIC_COOKIE}{self._token()}", "rport": None}
        via = Via(flow.transport.upper(), name, port, parameters)
        if flow.is_anonymous:  # the answer comes on the connection
            via = Via(flow.transport.upper(), HOST, None, parameters)
        copy = Request(request.method, request.uri, request.headers.copy(), request.body)
        copy.headers.prepend("Via", str(via))
        return copy

    def is_too_long_for_udp(self, request: Request, to: Hop | Flow) -> bool:
        """Tell whether TCP should be tried first. On this machine the path takes datagrams of any size."""
        host, port = (to.host, to.port) if isinstance(to, Hop) else to.remote
        if to.transport != "udp" or (host, port) in self._no_tcp:
            return False
        return len(bytes(request)) + _VIA_BYTES > MAX_UDP_REQUEST and not self._is_here(host)

    def takes_no_tcp(self, host: str, port: int) -> None:
        """Remember that there was no connection to be had; of too many memories the oldest goes."""
        self._no_tcp[host, port] = None
        if len(self._no_tcp) > _MAX_REMEMBERED:
            del self._no_tcp[next(iter(self._no_tcp))]

    def _is_here(self, host: str) -> bool:
        try:
            return literal(host).is_loopback or self.local_host(host) == host
        except ValueError:
            return False

    @staticmethod
    def local_host(remote: str) -> str | None:
        """Return our own address towards a remote one, None when there is no route. Sends nothing."""
        try:
            with socket.socket(
                socket.AF_INET6 if ":" in remote else socket.AF_INET, socket.SOCK_DGRAM
            ) as probe:
                probe.connect((remote, 9))
                return str(probe.getsockname()[0])
        except (OSError, ValueError):
            return None
