"""The connections of an endpoint, accepted and made: their caps, and which one leads to which hop."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from .stream import StreamFlow
from .tls import client_context, domain_context
from .transport import FlowSide, Hop, Owner, TransportError, TransportLimits, TransportName

logger = logging.getLogger(__name__)

_BACKLOG = 128
_ACCEPT_PAUSE = 0.2
_SHUTDOWN_TIMEOUT = 1.0
StartTask = Callable[[Coroutine[Any, Any, None], str], asyncio.Task[None]]


@dataclass
class ConnectionCounters:
    """What happened to connections since the start."""

    accepted: int = 0
    refused: int = 0
    failed_handshakes: int = 0


class Connections:
    """All streams of one endpoint. The owner is told of what they bring and of their end."""

    def __init__(self, owner: Owner, limits: TransportLimits, start_task: StartTask) -> None:
        self.counters = ConnectionCounters()
        self._owner = owner
        self._limits = limits
        self._start_task = start_task
        self._listeners: dict[socket.socket, asyncio.Task[None]] = {}
        self._by_address: dict[str, int] = {}
        self._accepted = 0
        self._flows: set[StreamFlow] = set()
        self._by_hop: dict[Hop, StreamFlow] = {}
        self._connecting: dict[Hop, asyncio.Future[StreamFlow | TransportError]] = {}
        self._left: set[Hop] = set()
        self._client_context: ssl.SSLContext | None = None
        self._domain_context: ssl.SSLContext | None = None

    def __len__(self) -> int:
        """The number of connections, those that are still in their handshake included."""
        return len(self._flows)

    async def listen(
        self, host: str, port: int, context: ssl.SSLContext | None, side: FlowSide | None = None
    ) -> int:
        """Listen at an IP literal and a port, 0 for a free one; return the port. Raises OSError.

        Over TLS nodes are expected, unless `side` says something else.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except OSError:
            listener.close()
            raise
        accepting = self._start_task(self._accept_all(listener, context, side), "sip accept")
        self._listeners[listener] = accepting
        return int(listener.getsockname()[1])

    def stop_listening(self, port: int, side: FlowSide) -> None:
        """Take no more connections on that port, and close those of that side that were taken there."""
        for listener in [each for each in self._listeners if each.getsockname()[1] == port]:
            self._listeners.pop(listener).cancel()
            listener.close()
        for flow in [each for each in self._flows if each.side == side and each.local[1] == port]:
            flow.close()

    def to(self, hop: Hop) -> StreamFlow | None:
        """Return the open connection to a hop, if there is one."""
        flow = self._by_hop.get(hop)
        return None if flow is None or flow.is_closed else flow

    def is_connected(self, node_public_key: bytes) -> bool:
        """Tell whether a node with that key is at the other end of a connection that we made, and was heard lately."""
        return any(
            hop.node_public_key == node_public_key
            and not flow.is_closed
            and flow.silence <= self._limits.lately
            for hop, flow in self._by_hop.items()
        )

    def pass_over(self, hop: Hop) -> None:
        """Use the connection to a hop for nothing new; what waits on it goes on, unless it is one call's alone."""
        flow = self._by_hop.pop(hop, None)
        if flow is not None and hop.alone:
            flow.close()

    async def connect(self, hop: Hop) -> StreamFlow:
        """Return the connection to a hop, a new one where there is none. Raises `TransportError`."""
        flow = self.to(hop)
        if flow is not None:
            return flow
        pending = self._connecting.get(hop)
        if pending is None:
            pending = self._connecting[hop] = asyncio.get_running_loop().create_future()
            self._start_task(self._connect_once(hop, pending), "sip connect")
        result = await asyncio.shield(pending)
        if isinstance(result, TransportError):
            raise TransportError(*result.args)
        return result

    def leave(self, alone: str) -> None:
        """Close the connections of one anonymous call, and those that are being made for it once they stand."""
        self._left.update(hop for hop in self._connecting if hop.alone == alone)
        for hop, flow in self._by_hop.items():
            if hop.alone == alone:
                flow.close()

    def forget(self, flow: StreamFlow) -> None:
        """Learn that a connection is gone."""
        self._flows.discard(flow)
        for hop in [hop for hop, other in self._by_hop.items() if other is flow]:
            del self._by_hop[hop]

    async def aclose(self) -> None:
        """Close everything. The tasks that accept and connect must have ended."""
        for listener in self._listeners:
            listener.close()
        for pending in self._connecting.values():
            pending.cancel()
        self._connecting.clear()
        flows = list(self._flows)
        for flow in flows:
            flow.abort()
        for flow in flows:
            await flow.closed()
        self._flows.clear()
        self._by_hop.clear()

    # Accepting.

    async def _accept_all(
        self, listener: socket.socket, context: ssl.SSLContext | None, side: FlowSide | None
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:  # out of file descriptors, or the caller is gone already
                logger.warning("cannot accept a connection: %s", error.strerror)
                await asyncio.sleep(_ACCEPT_PAUSE)
                continue
            host = str(address[0])
            full = self._accepted >= self._limits.connections
            if full or self._by_address.get(host, 0) >= self._limits.connections_per_address:
                self.counters.refused += 1
                sock.close()
                continue
            self._start_task(self._serve(sock, host, context, side), "sip connection")

    async def _serve(
        self, sock: socket.socket, host: str, context: ssl.SSLContext | None, side: FlowSide | None
    ) -> None:
        """Hold a place for an accepted connection from before its handshake to its end."""
        self._accepted += 1
        self._by_address[host] = self._by_address.get(host, 0) + 1
        try:
            flow = await self._handshake(sock, context, side)
            if flow is not None:
                self.counters.accepted += 1
                await flow.closed()
        finally:
            self._accepted -= 1
            self._by_address[host] -= 1
            if not self._by_address[host]:
                del self._by_address[host]

    async def _handshake(
        self, sock: socket.socket, context: ssl.SSLContext | None, side: FlowSide | None
    ) -> StreamFlow | None:
        transport: TransportName = "tcp" if context is None else "tls"
        flow = StreamFlow(self._owner, transport, self._limits, accepted=True, side=side)
        _prepare(sock)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: flow,
                sock,
                ssl=context,
                ssl_handshake_timeout=self._limits.handshake_timeout if context is not None else None,
                ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT if context is not None else None,
            )
        except (OSError, TimeoutError):  # ssl.SSLError is an OSError
            self.counters.failed_handshakes += 1
            return None
        if not flow.is_closed:
            self._flows.add(flow)
        return flow

    # Connecting.

    async def _connect_once(self, hop: Hop, pending: asyncio.Future[StreamFlow | TransportError]) -> None:
        result: StreamFlow | TransportError = TransportError("the endpoint is closing")
        try:
            result = await self._open(hop)
            if hop in self._left:
                result.close()
            elif not result.is_closed:
                self._by_hop[hop] = result
        except TransportError as error:
            result = error.with_traceback(None)
        finally:
            self._connecting.pop(hop, None)
            self._left.discard(hop)
            if not pending.done():
                pending.set_result(result)

    async def _open(self, hop: Hop) -> StreamFlow:
        try:
            ipaddress.ip_address(hop.host)
        except ValueError as error:
            raise TransportError("not an IP address") from error
        context = self._context(hop) if hop.transport == "tls" else None
        key = hop.node_public_key if hop.transport == "tls" else None
        domain = hop.domain if hop.transport == "tls" else None
        flow = StreamFlow(
            self._owner,
            hop.transport,
            self._limits,
            accepted=False,
            node_public_key=key,
            domain=domain,
            is_anonymous=bool(hop.alone),
        )
        try:
            async with asyncio.timeout(self._limits.connect_timeout):
                sock = await _connected_socket(hop)
                await asyncio.get_running_loop().create_connection(
                    lambda: flow,
                    sock=sock,
                    ssl=context,
                    server_hostname=(domain or "") if context is not None else None,
                    ssl_handshake_timeout=self._limits.connect_timeout if context is not None else None,
                    ssl_shutdown_timeout=_SHUTDOWN_TIMEOUT if context is not None else None,
                )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            raise TransportError("no connection") from error
        if flow.refused is not None:
            await flow.closed()
            raise TransportError(*flow.refused.args)
        self._flows.add(flow)
        return flow

    def _context(self, hop: Hop) -> ssl.SSLContext:
        if hop.node_public_key is None:
            if self._domain_context is None:
                self._domain_context = domain_context()
            return self._domain_context
        if self._client_context is None:
            self._client_context = client_context()
        return self._client_context


async def _connected_socket(hop: Hop) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in hop.host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (hop.host, hop.port))
        _prepare(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _prepare(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
