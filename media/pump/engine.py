"""The pump's side of Python: opens its sockets, arms and halts their flows, and delivers what it reports."""

import asyncio
import ctypes
import math
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from media.sockets import LOOP_SOCKETS, Address, CarryingSocket, Flow, Sockets

from . import library

REPORTS_BUFFER_BYTES = 1 << 20
MAX_REPORTS_AT_ONCE = 64
MAX_REPORT_BYTES = 1 << 17
_REPORT = struct.Struct(f"=II{library.ADDRESS_BYTES}sQ")
_IPV6_BYTES = 28
P = TypeVar("P", bound=asyncio.BaseProtocol)


@contextmanager
def open_sockets(threads: int) -> Iterator[Sockets]:
    """Give sockets carried by so many threads; the loop's own for 0, and where the pump was not built.

    The threads stay from one call to the next: to start and to end them takes longer than all else of a short call.
    """
    built = library.load() if threads else None
    if built is None:
        yield LOOP_SOCKETS
        return
    pump = Pump(built, threads, stays=True)
    try:
        yield pump
    finally:
        pump.close()


def _packed(address: Address) -> bytes:
    """Return an IP address and port as the pump has it: a `sockaddr_in` or `sockaddr_in6`, padded, and its length."""
    host, _, scope = str(address[0]).partition("%")
    port = int(address[1]).to_bytes(2)
    if ":" in host:
        family, packed = socket.AF_INET6, bytes(4) + socket.inet_pton(socket.AF_INET6, host)
        packed += struct.pack("=I", socket.if_nametoindex(scope) if scope else 0)
    else:
        family, packed = socket.AF_INET, socket.inet_pton(socket.AF_INET, host) + bytes(8)
    whole = struct.pack("=H", family) + port + packed
    return whole.ljust(_IPV6_BYTES, b"\0") + struct.pack("=I", len(whole))


def _address(packed: bytes) -> Address:
    """Return where a datagram came from, as asyncio says it."""
    family, port = int.from_bytes(packed[:2], sys.byteorder), int.from_bytes(packed[2:4])
    if family == socket.AF_INET:
        return socket.inet_ntop(family, packed[4:8]), port
    host, scope = socket.inet_ntop(family, packed[8:24]), int.from_bytes(packed[24:28], sys.byteorder)
    return (f"{host}%{socket.if_indextoname(scope)}" if scope else host), port, 0, scope


class Pump:
    """Threads that carry the flows of any number of sockets; there are none before the first one is opened.

    They end with the last socket, or if the pump `stays` with `close`.
    """

    def __init__(self, built: ctypes.CDLL, threads: int, *, stays: bool = False) -> None:
        self._library = built
        self._threads = threads
        self._stays = stays
        self._handle: int | None = None
        self._reports: tuple[socket.socket, socket.socket]
        self._sockets: dict[int, PumpedSocket] = {}
        self._generation = 0

    def _start(self) -> None:
        ours, theirs = self._reports = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, REPORTS_BUFFER_BYTES)
        self._handle = self._library.pump_start(self._threads, theirs.fileno())
        if not self._handle:
            ours.close()
            theirs.close()
            raise OSError("The threads that carry calls could not be started")
        asyncio.get_running_loop().add_reader(ours, self._deliver)

    def close(self) -> None:
        """End the threads; no socket may be open any more."""
        if self._handle is not None:
            self._stop()

    def _stop(self) -> None:
        ours, theirs = self._reports
        asyncio.get_running_loop().remove_reader(ours)
        self._library.pump_stop(self._handle)
        self._handle = None
        ours.close()
        theirs.close()

    async def open(
        self, protocol: Callable[[], P], address: tuple[str, int]
    ) -> tuple[asyncio.DatagramTransport, P]:
        """Bind a socket on that IP address."""
        bound = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            bound.bind(address)
            made = protocol()
            transport = PumpedSocket(self, bound, made)
            self._take(transport)
        except BaseException:
            bound.close()
            raise
        made.connection_made(transport)
        return transport, made

    def _take(self, taken: "PumpedSocket") -> None:
        if self._handle is None:
            self._start()
        self._generation = self._generation + 1 & 0xFFFFFFFF
        taken.generation = taken.thread = self._generation
        taken.thread %= self._threads
        if self._library.pump_open(self._handle, taken.thread, taken.descriptor, taken.generation):
            self._rest()
            raise OSError("This node has too many sockets open")
        self._sockets[taken.descriptor] = taken

    def arm(self, descriptor: int, flow: library.Flow) -> bool:
        """Let a flow begin, if nothing before it waits to be delivered; False if the pump will never take it."""
        return bool(self._library.pump_arm(self._handle, descriptor, ctypes.byref(flow)) >= 0)

    def look(self, descriptor: int, *, disarm: bool) -> library.Flow | None:
        """Return what has passed since the last look; with `disarm`, the flow has ended when this returns."""
        flow = library.Flow()
        armed = self._library.pump_look(self._handle, descriptor, disarm, ctypes.byref(flow))
        return flow if armed else None

    def give_back(self, given: "PumpedSocket") -> None:
        """Let go of a socket: nothing goes in or out by it when this returns."""
        del self._sockets[given.descriptor]
        self._library.pump_close(self._handle, given.thread, given.descriptor)
        self._rest()

    def _rest(self) -> None:
        if not self._sockets and not self._stays:
            self._stop()

    def _deliver(self) -> None:
        ours = self._reports[0]
        for _ in range(MAX_REPORTS_AT_ONCE):
            if self._handle is None:
                return  # the last packet closed the last socket
            try:
                report = ours.recv(MAX_REPORT_BYTES)
            except BlockingIOError:
                return
            descriptor, generation, source, number = _REPORT.unpack_from(report)
            to = self._sockets.get(descriptor)
            if to is not None and to.generation == generation:
                to.seen = number or to.seen
                to.deliver(report[_REPORT.size :], _address(source))


class PumpedSocket(CarryingSocket):
    """One UDP socket of the pump, as asyncio's transports are; what its flow does not carry goes to the protocol."""

    def __init__(self, pump: Pump, bound: socket.socket, protocol: asyncio.BaseProtocol) -> None:
        super().__init__({"socket": bound, "sockname": bound.getsockname()})
        self.descriptor = bound.fileno()
        self.generation = self.thread = self.seen = 0
        self._pump = pump
        self._bound = bound
        self._protocol: Any = protocol
        self._flow: Flow | None = None
        self._is_closed = False

    def deliver(self, data: bytes, source: Address) -> None:
        """Give a datagram to the protocol."""
        self._protocol.datagram_received(data, source)

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send one datagram; one that finds the socket's buffer full is lost, as it might be on its way."""
        if self._is_closed:
            return
        try:
            self._bound.sendto(data, addr)
        except BlockingIOError:
            return
        except OSError as error:
            self._protocol.error_received(error)

    def carry(self, flow: Flow) -> bool:
        """Begin, or go on with this flow in place of another; False if this one can never be carried."""
        self.halt()
        out = flow.out
        if not isinstance(out, PumpedSocket) or self._is_closed:
            return False
        armed = library.Flow(
            crypt=flow.crypt,
            session=flow.session,
            out=out.descriptor,
            max_size=flow.max_size,
            after=self.seen,
        )
        armed.source[:], armed.destination[:] = _packed(flow.source), _packed(flow.destination)
        armed.ssrc[:] = flow.ssrc
        if flow.reception is not None:
            armed.measured, armed.clock_rate = 1, flow.reception.clock_rate
            armed.highest, armed.jitter, transit = flow.reception.standing()
            armed.transit = math.nan if transit is None else transit
        if not self._pump.arm(self.descriptor, armed):
            return False
        self._flow = flow
        return True

    def look(self) -> None:
        """Tell the flow, if there is one, what has passed."""
        self._tell(disarm=False)

    def halt(self) -> None:
        """End the flow, and tell it what has passed. When this returns, nothing passes any more."""
        self._tell(disarm=True)

    def _tell(self, *, disarm: bool) -> None:
        flow = self._flow
        if flow is None:
            return
        passed = self._pump.look(self.descriptor, disarm=disarm)
        if disarm:
            self._flow = None
        if passed is None or not (passed.packets or passed.unsent):
            return
        if flow.reception is not None:
            flow.reception.follow(
                passed.packets, passed.reordered, passed.highest, passed.jitter, passed.transit
            )
        flow.passed(passed.packets, passed.bytes, passed.unsent, passed.heard_at)

    def is_closing(self) -> bool:
        """Tell whether the socket was closed."""
        return self._is_closed

    def close(self) -> None:
        """Close the socket; the protocol hears of it soon."""
        if self._is_closed:
            return
        self.halt()
        self._is_closed = True
        self._pump.give_back(self)
        self._bound.close()
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)
        self._protocol = None  # nothing comes or goes any more, and neither has to keep the other

    def abort(self) -> None:
        """Close the socket."""
        self.close()
