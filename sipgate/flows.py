"""All sockets of an endpoint, and which flow a request takes."""

from __future__ import annotations

import asyncio
import ssl

from .connections import Connections, StartTask
from .protocol.message import Request
from .protocol.via_rules import response_port
from .transport import Flow, FlowSide, Hop, Owner, TransportError, TransportLimits
from .udp import UdpFlow, UdpSocket
from .vias import Vias

_BEHIND = 0.25  # of a receive buffer: some 50 ms of work, and room for what goes on in calls that have begun
_BEHIND_CHALLENGED = 0.5
_TCP_PATIENCE = 1.0  # seconds for an attempt to reach a phone by TCP instead of UDP


class Flows:
    """UDP sockets, listeners and connections."""

    def __init__(self, owner: Owner, vias: Vias, limits: TransportLimits, start_task: StartTask) -> None:
        self.connections = Connections(owner, limits, start_task)
        self._owner = owner
        self._vias = vias
        self._udp: list[UdpSocket] = []

    async def listen_udp(self, host: str, port: int) -> int:
        """Open a UDP socket; return its port. Raises OSError."""
        sock = await UdpSocket.open(host, port, self._owner)
        self._udp.append(sock)
        return sock.local[1]

    async def listen(
        self, host: str, port: int, context: ssl.SSLContext | None, side: FlowSide | None = None
    ) -> int:
        """Listen for TCP, or TLS with a context; return the port. Raises OSError."""
        port = await self.connections.listen(host, port, context, side)
        self._vias.listens("tcp" if context is None else "tls", (host, port))
        return port

    def ready(self, request: Request, to: Hop | Flow) -> Flow | None:
        """Return the flow that a request can go on at once; None when there is something to wait for."""
        if self._vias.is_too_long_for_udp(request, to):
            return None
        if not isinstance(to, Hop):
            return to
        return self._udp_flow(to) if to.transport == "udp" else self.connections.to(to)

    async def find(self, to: Hop | Flow) -> Flow:
        """Return the flow to a hop that none was ready for, TCP in place of UDP if that can be.

        Raises `TransportError` when there is none.
        """
        if to.transport != "udp":
            return await self.connections.connect(to) if isinstance(to, Hop) else to
        host, port = (to.host, to.port) if isinstance(to, Hop) else to.remote
        try:
            async with asyncio.timeout(_TCP_PATIENCE):
                return await self.connections.connect(Hop("tcp", host, port))
        except (TransportError, TimeoutError):
            self._vias.takes_no_tcp(host, port)
        flow = self._udp_flow(to) if isinstance(to, Hop) else to
        if flow is None:
            raise TransportError("no UDP socket")
        return flow

    def is_behind(self, request: Request) -> bool:
        """Tell whether messages come so much faster than they are read that this new request is too much.

        A request that answers a challenge is let in longer: it has cost something already.
        """
        answers = "Proxy-Authorization" in request.headers or "Authorization" in request.headers
        most = _BEHIND_CHALLENGED if answers else _BEHIND
        return any(sock.backlog > most for sock in self._udp)

    async def aclose(self) -> None:
        """Close everything. The tasks that accept and connect must have ended."""
        await self.connections.aclose()
        for sock in self._udp:
            sock.close()
            await sock.closed()

    def _udp_flow(self, hop: Hop) -> UdpFlow | None:
        """Prefer the socket that is bound to our address towards the hop."""
        sockets = [sock for sock in self._udp if sock.is_ipv6 == (":" in hop.host) and not sock.is_closed]
        if len(sockets) > 1:
            local = self._vias.local_host(hop.host)
            sockets.sort(key=lambda sock: sock.local[0] != local)
        return sockets[0].flow((hop.host, hop.port)) if sockets else None


def response_flow(request: Request, flow: Flow) -> Flow:
    """Return where the responses to a request that came on `flow` go (18.2.2, RFC 3581)."""
    if not isinstance(flow, UdpFlow):
        return flow
    port = response_port(request.top_via, flow.remote[1])
    return flow if port == flow.remote[1] else flow.socket.flow((flow.remote[0], port))
