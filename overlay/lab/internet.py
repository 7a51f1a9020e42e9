"""An Internet in memory: datagrams take the time that the distance takes, some are lost, some hosts are not reached.

Hosts lie on a unit square. One way takes ``mean_rtt / 2 * (0.15 + 0.85 * d / 0.5214) * uniform(0.95, 1.15)``: 0.5214 is
the mean distance of two points, so the mean round trip is ``mean_rtt`` (and 5 % of jitter).
"""

import asyncio
import errno
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from overlay.protocol.endpoint import Endpoint
from overlay.udp import OpenSocket

from .nat import Address, Nat

MEAN_DISTANCE = 0.5214
IP_UDP_HEADERS = 28
TYPE_AT = 2
"""Where a datagram of the overlay has its type: even ones are requests."""


@dataclass
class Traffic:
    """What one host sent and received; bytes with the headers of IPv4 and UDP."""

    sent_bytes: int = 0
    received_bytes: int = 0
    sent: int = 0
    requests: int = 0


class Socket(asyncio.DatagramTransport):
    """One end of the Internet. ``silent``: nothing goes out or in, and nobody is told (a power cut, a closed lid)."""

    def __init__(
        self, internet: "Internet", endpoint: Endpoint, protocol: asyncio.DatagramProtocol, nat: Nat | None
    ) -> None:
        super().__init__()
        self.endpoint = endpoint
        self.address: Address = (endpoint.host, endpoint.port)
        self.protocol = protocol
        self.nat = nat
        self.group = 0
        self.silent = False
        self.traffic = Traffic()
        self._internet = internet
        self._closed = False

    @property
    def host(self) -> str:
        """The address that the Internet sees."""
        return self.nat.host if self.nat else self.endpoint.host

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return where it is bound, as sockets do."""
        return self.address if name == "sockname" else default

    def is_closing(self) -> bool:
        """Tell whether it is closed."""
        return self._closed

    def close(self) -> None:
        """Close it; its address is free again."""
        if not self._closed:
            self._closed = True
            self._internet.forget(self)

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send a datagram."""
        if not (self._closed or self.silent):
            self._internet.carry(self, bytes(data), addr)


class Internet:
    """All hosts. ``dice`` decides places, jitter and loss; ``loss`` is the share of datagrams that never arrive.

    ``lazily`` is called with an address nobody listens at when a datagram gets there, and may put a socket there.
    """

    def __init__(self, dice: random.Random, *, mean_rtt: float = 0.080, loss: float = 0.0) -> None:
        self.mean_rtt = mean_rtt
        self.loss = loss
        self.largest = 0
        self.total = Traffic()
        self.lazily: Callable[[Address], Socket | None] = lambda _address: None
        self._dice = dice
        self._sockets: dict[Address, Socket] = {}
        self._nats: dict[str, Nat] = {}
        self._places: dict[str, tuple[float, float]] = {}
        self._is_parted = False

    # -- hosts ---------------------------------------------------------------------------------------------------

    def opener(self, nat: Nat | None = None) -> OpenSocket:
        """Return the function that an `Overlay` opens its sockets with; behind ``nat`` if there is one."""

        async def open_socket(endpoint: Endpoint, protocol: asyncio.DatagramProtocol) -> Socket:
            return self.open(endpoint, protocol, nat)

        return open_socket

    def open(self, endpoint: Endpoint, protocol: asyncio.DatagramProtocol, nat: Nat | None = None) -> Socket:
        """Return a socket at ``endpoint``; a silent one that is there is replaced.

        Raises:
            OSError: the address is taken.
        """
        there = self._sockets.get((endpoint.host, endpoint.port))
        if there is not None and not there.silent:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        made = Socket(self, endpoint, protocol, nat)
        self._sockets[made.address] = made
        if nat is not None:
            self._nats[nat.host] = nat
        protocol.connection_made(made)
        return made

    def forget(self, closed: Socket) -> None:
        """Free the address of a closed socket."""
        if self._sockets.get(closed.address) is closed:
            del self._sockets[closed.address]

    def move(self, socket: Socket, endpoint: Endpoint) -> None:
        """Give a socket another address, as when a laptop changes networks. The node is not told."""
        self.forget(socket)
        socket.endpoint = endpoint
        socket.address = (endpoint.host, endpoint.port)
        self._sockets[socket.address] = socket

    # -- datagrams -----------------------------------------------------------------------------------------------

    def part(self) -> None:
        """Let nothing pass between sockets of different ``group``s."""
        self._is_parted = True

    def heal(self) -> None:
        """Let everything pass again."""
        self._is_parted = False

    def delay(self, one: str, other: str) -> float:
        """Return how long a datagram takes now, in seconds."""
        x, y = self._place(one)
        u, v = self._place(other)
        distance = math.hypot(x - u, y - v)
        return self.mean_rtt / 2 * (0.15 + 0.85 * distance / MEAN_DISTANCE) * self._dice.uniform(0.95, 1.15)

    def carry(self, sender: Socket, data: bytes, destination: Address) -> None:
        """Take a datagram on its way."""
        loop = asyncio.get_running_loop()
        size = len(data)
        is_request = size > TYPE_AT and data[TYPE_AT] % 2 == 0
        for traffic in (sender.traffic, self.total):
            traffic.sent_bytes += size + IP_UDP_HEADERS
            traffic.sent += 1
            traffic.requests += is_request
        self.largest = max(self.largest, size)
        source = sender.address
        if sender.nat is not None:
            source = sender.nat.outgoing(source, destination, loop.time())
        if self.loss and self._dice.random() < self.loss:
            return
        loop.call_later(
            self.delay(source[0], destination[0]), self._arrive, sender.group, source, destination, data
        )

    def _arrive(self, group: int, source: Address, destination: Address, data: bytes) -> None:
        receiver = self._at(destination, source)
        if receiver is None or receiver.silent or (self._is_parted and receiver.group != group):
            return
        receiver.traffic.received_bytes += len(data) + IP_UDP_HEADERS
        receiver.protocol.datagram_received(data, source)

    def _at(self, address: Address, source: Address) -> Socket | None:
        nat = self._nats.get(address[0])
        if nat is not None:
            inner = nat.incoming(address[1], source, asyncio.get_running_loop().time())
            return None if inner is None else self._sockets.get(inner)
        found = self._sockets.get(address)
        if found is not None and found.nat is None:
            return found
        return None if found is not None else self.lazily(address)

    def _place(self, host: str) -> tuple[float, float]:
        place = self._places.get(host)
        if place is None:
            place = self._places[host] = (self._dice.random(), self._dice.random())
        return place
