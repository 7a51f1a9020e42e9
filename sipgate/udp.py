"""SIP over UDP: one socket, a flow for each remote address, and ICMP errors brought back to their address."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any, Self, cast

from .transport import MAX_MESSAGE_BYTES, Address, FlowSide, Owner, TransportError, TransportName

# From <linux/in.h> and <linux/in6.h>; the socket module does not name them.
_IP_RECVERR, _IPV6_RECVERR, _MSG_ERRQUEUE = 11, 25, 0x2000
_HAS_ERROR_QUEUE = sys.platform == "linux"
_MAX_ERRORS_AT_ONCE = 64
# From <asm-generic/socket.h> and <linux/sock_diag.h>: nine numbers, the first two what is queued and what fits.
_SO_MEMINFO, _MEMINFO = 55, struct.Struct("=9I")
_HAS_MEMINFO = sys.platform == "linux"
_RECEIVE_BUFFER = 1 << 20  # asked for; the kernel gives what it allows, and says so in _SO_MEMINFO


class UdpSocket(asyncio.DatagramProtocol):
    """A bound socket. What it receives goes to the owner, at once."""

    def __init__(self, sock: socket.socket, owner: Owner) -> None:
        self._socket = sock
        self._owner = owner
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.Event()
        self.local: Address = sock.getsockname()[:2]

    @classmethod
    async def open(cls, host: str, port: int, owner: Owner) -> Self:
        """Bind to an IP literal and a port, 0 for a free one. Raises OSError."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            _ask_for_errors(sock)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        self = cls(sock, owner)
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(lambda: self, sock=sock)
        return self

    @property
    def is_closed(self) -> bool:
        """Whether it was closed."""
        return self._closed.is_set()

    @property
    def is_ipv6(self) -> bool:
        """Whether it speaks IPv6."""
        return self._socket.family == socket.AF_INET6

    @property
    def backlog(self) -> float:
        """How full the receive buffer is, 0 to 1, with what was not read yet; 0 where the kernel does not say."""
        if not _HAS_MEMINFO or self.is_closed:
            return 0.0
        queued, fits, *_ = _MEMINFO.unpack(
            self._socket.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        )
        return float(queued / fits) if fits else 0.0

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    async def closed(self) -> None:
        """Wait until the socket is closed."""
        await self._closed.wait()

    def send(self, data: bytes, remote: Address) -> None:
        """Send a datagram; raise `TransportError` when it cannot leave."""
        if self._transport is None or self.is_closed or self._transport.is_closing():
            raise TransportError("the socket is closed")
        if len(data) > MAX_MESSAGE_BYTES - 512:
            raise TransportError("the message is too long for a datagram")
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._tell_refusals()  # or the error of an earlier datagram would stop this one
        self._transport.sendto(data, remote)

    def flow(self, remote: Address) -> UdpFlow:
        """Return the flow to a remote address."""
        return UdpFlow(self, remote)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio: the socket is ready."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Asyncio: the socket is closed."""
        self._closed.set()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Asyncio: a datagram came. Keep-alives (RFC 5626 4.4, the zero bytes of old phones) say nothing."""
        if data.strip(b"\r\n\0\t "):
            self._owner.data_received(data, self.flow((addr[0], addr[1])))

    def error_received(self, exc: Exception) -> None:  # noqa: ARG002 - asyncio's signature
        """Asyncio: sending or receiving failed. Find out for which address."""
        self._tell_refusals()

    def _tell_refusals(self) -> None:
        for remote in _refused_addresses(self._socket):
            asyncio.get_running_loop().call_soon(self._owner.unreachable, remote)


@dataclass(frozen=True)
class UdpFlow:
    """A UDP socket and a remote address."""

    socket: UdpSocket
    remote: Address

    transport: TransportName = "udp"
    side: FlowSide = "phone"
    node_public_key: bytes | None = None
    is_anonymous: bool = False

    @property
    def local(self) -> Address:
        """The address that the socket is bound to."""
        return self.socket.local

    @property
    def is_closed(self) -> bool:
        """Whether the socket is closed."""
        return self.socket.is_closed

    async def closed(self) -> None:
        """Wait until the socket is closed."""
        await self.socket.closed()

    def send(self, data: bytes) -> None:
        """Send one message; raise `TransportError` when it cannot leave."""
        self.socket.send(data, self.remote)


def _ask_for_errors(sock: socket.socket) -> None:
    if _HAS_ERROR_QUEUE and sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
    elif _HAS_ERROR_QUEUE:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)


def _refused_addresses(sock: socket.socket) -> set[Address]:
    """Empty the socket's error queue; return the addresses that ICMP says nobody receives at.

    An error of the path, such as a datagram that is too big for it, is not one of those.
    """
    refused: set[Address] = set()
    with contextlib.suppress(BlockingIOError):
        for _ in range(_MAX_ERRORS_AT_ONCE if _HAS_ERROR_QUEUE else 0):
            _, ancillary, _, address = sock.recvmsg(0, 512, _MSG_ERRQUEUE)
            for _, _, data in ancillary:
                # struct sock_extended_err: errno, origin (2: ICMP, 3: ICMPv6), type, code
                _, origin, kind, _ = struct.unpack_from("=IBBB", data)
                if (origin, kind) in ((2, 3), (3, 1)) and address:
                    refused.add((address[0], address[1]))
    return refused
