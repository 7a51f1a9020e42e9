"""A loopback in virtual time: datagrams that get lost, doubled and overtaken, connections, and ends that fall silent.

The sockets are real, so ports are real ports; nothing passes through them. TLS is left out: a connection is plain.
"""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from overlay.lab.virtual_time import VirtualLoop

Address = tuple[str, int]
STREAM_DELAY = 0.001


class VirtualNet(VirtualLoop):
    """`loss` and `doubled` are shares of the datagrams, `spread` the longest that one is on its way, in seconds."""

    def __init__(
        self, *, seed: int = 0, loss: float = 0.0, doubled: float = 0.0, spread: float = 0.0
    ) -> None:
        super().__init__()
        self._chance = Random(seed)
        self._loss, self._doubled, self._spread = loss, doubled, spread
        self._bound: dict[Address, Datagrams] = {}
        self._backlogs: dict[Address, asyncio.Queue[tuple[socket.socket, Address]]] = {}
        self._wanted: dict[socket.socket, Address] = {}
        self._halves: dict[socket.socket, tuple[Stream, asyncio.Future[None]]] = {}
        self._own_ports = itertools.count(1024)
        self.silent: set[int] = set()

    # Datagrams.

    async def create_datagram_endpoint(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.DatagramProtocol], *, sock: socket.socket
    ) -> tuple[Datagrams, asyncio.DatagramProtocol]:
        """Attach a protocol to the address that the socket is bound to."""
        protocol = protocol_factory()
        wire = Datagrams(self, sock, protocol)
        self._bound[wire.address] = wire
        protocol.connection_made(wire)
        return wire, protocol

    def carry(self, data: bytes, source: Address, target: Address) -> None:
        """Let a datagram arrive, perhaps late, twice, or never."""
        if self._chance.random() < self._loss or self.silent & {source[1], target[1]}:
            return
        for _ in range(2 if self._chance.random() < self._doubled else 1):
            self.call_later(self._chance.uniform(0, self._spread), self._arrive, data, source, target)

    def _arrive(self, data: bytes, source: Address, target: Address) -> None:
        wire = self._bound.get(target)
        if wire is not None and not wire.is_closing():
            wire.protocol.datagram_received(data, source)

    # Connections.

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Find the listener; an end that is silent never answers."""
        if address[1] in self.silent:
            await asyncio.Event().wait()
        if address not in self._backlogs:
            raise ConnectionRefusedError
        self._wanted[sock] = address

    async def sock_accept(self, sock: socket.socket) -> tuple[socket.socket, Any]:
        """Wait for a connection."""
        backlog = self._backlogs.setdefault(sock.getsockname(), asyncio.Queue())
        try:
            return await backlog.get()
        except asyncio.CancelledError:
            self._backlogs.pop(sock.getsockname(), None)
            raise

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], *, sock: socket.socket, **_: Any
    ) -> tuple[Stream, asyncio.Protocol]:
        """Finish a connection that `sock_connect` began, once the other side has taken it."""
        address = self._wanted.pop(sock)
        own = ("127.0.0.1", next(self._own_ports))
        sock.close()
        near, far = Stream(self, own, address), Stream(self, address, own)
        near.peer, far.peer = far, near
        taken = self.create_future()
        accepted = socket.socket()
        self._halves[accepted] = far, taken
        await self._backlogs[address].put((accepted, own))
        await taken
        near.begin(protocol_factory())
        return near, near.protocol

    async def connect_accepted_socket(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], sock: socket.socket, **_: Any
    ) -> tuple[Stream, asyncio.Protocol]:
        """Take a connection."""
        far, taken = self._halves.pop(sock)
        sock.close()
        far.begin(protocol_factory())
        taken.set_result(None)
        return far, far.protocol


class Datagrams(asyncio.DatagramTransport):
    """One UDP socket."""

    def __init__(self, net: VirtualNet, sock: socket.socket, protocol: asyncio.DatagramProtocol) -> None:
        super().__init__()
        self.address: Address = sock.getsockname()[:2]
        self.protocol = protocol
        self._net = net
        self._socket = sock
        self._is_closing = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send."""
        self._net.carry(bytes(data), self.address, addr)

    def is_closing(self) -> bool:
        """Tell whether it was closed."""
        return self._is_closing

    def close(self) -> None:
        """Close the socket."""
        if not self._is_closing:
            self._is_closing = True
            self._net.call_soon(self.protocol.connection_lost, None)
            self._socket.close()


class Stream(asyncio.Transport):
    """One end of a connection. Bytes arrive in order; those of a silent end do not arrive."""

    peer: Stream
    protocol: asyncio.Protocol

    def __init__(self, net: VirtualNet, own: Address, other: Address) -> None:
        super().__init__({"sockname": own, "peername": other})
        self._net = net
        self._ports = {own[1], other[1]}
        self._waiting: deque[bytes] = deque()
        self._is_closing = False

    def begin(self, protocol: asyncio.Protocol) -> None:
        """Attach the protocol."""
        self.protocol = protocol
        protocol.connection_made(self)

    def write(self, data: Any) -> None:
        """Send."""
        if not self._is_closing and not self._net.silent & self._ports:
            self.peer._waiting.append(bytes(data))
            self._net.call_later(STREAM_DELAY, self.peer._arrive)

    def _arrive(self) -> None:
        data = self._waiting.popleft()
        if not self._is_closing:
            self.protocol.data_received(data)

    def get_write_buffer_size(self) -> int:
        """Return nothing: all is sent at once."""
        return 0

    def is_closing(self) -> bool:
        """Tell whether it was closed."""
        return self._is_closing

    def close(self) -> None:
        """Close both ends; the other one later, and never from a silent end."""
        if self._is_closing:
            return
        self._is_closing = True
        self._net.call_soon(self.protocol.connection_lost, None)
        if not self._net.silent & self._ports:
            self._net.call_later(STREAM_DELAY, self.peer.close)

    def abort(self) -> None:
        """Close."""
        self.close()
