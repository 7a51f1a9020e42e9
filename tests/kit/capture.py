"""Watching a network interface, in a namespace or here. Needs root."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from tests.kit.netns import inside
from tests.kit.packets import Packet, parse_frame, rtp_payload

PACKET_OUTGOING = 4
ETH_P_ALL = 0x0003
SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
BUFFER_BYTES = 8 << 20


class Capture:
    """All UDP and TCP packets that cross an interface while this async context manager is open."""

    def __init__(self, interface: str, namespace: str | None = None) -> None:
        self.packets: list[Packet] = []
        self._interface = interface
        self._namespace = namespace
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []
        self._socket: socket.socket | None = None

    async def __aenter__(self) -> Self:
        self._socket = inside(self._namespace, self._open)
        asyncio.get_running_loop().add_reader(self._socket, self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._socket is not None
        self._read()
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    async def until(self, condition: Callable[[], bool], what: str, *, timeout: float = 10) -> None:
        """Wait until the condition holds; it is looked at whenever packets came in. Raises TimeoutError."""
        if condition():
            return
        entry = (condition, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(timeout):
                await entry[1]
        except TimeoutError:
            count = len(self.packets)
            raise TimeoutError(
                f"{what}: not within {timeout} s on {self._interface} ({count} packets)"
            ) from None
        finally:
            self._waiting.remove(entry)

    def _open(self) -> socket.socket:
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        sock.bind((self._interface, ETH_P_ALL))
        sock.setblocking(False)
        return sock

    def _read(self) -> None:
        assert self._socket is not None
        for _ in range(500):
            try:
                frame, ancillary, _, (_, _, direction, *_) = self._socket.recvmsg(70_000, 64)
            except BlockingIOError:
                break
            if self._interface == "lo" and direction == PACKET_OUTGOING:
                continue  # the loopback shows each packet twice
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            packet = parse_frame(frame, seconds + nanoseconds / 1e9)
            if packet is not None:
                self.packets.append(packet)
        for condition, future in self._waiting:
            if not future.done() and condition():
                future.set_result(None)


class PhoneTraffic:
    """What goes between a phone and its node on the loopback: told by the phone's RTP ports."""

    def __init__(self, capture: Capture, rtp_ports: range) -> None:
        self._capture = capture
        self._ports = rtp_ports
        self._start = self._heard_from = len(capture.packets)

    def times_heard(self) -> dict[bytes, float]:
        """Return payload -> when it was sent to the phone, for payloads that came once only."""
        return _times(
            (packet, payload) for packet, payload in self._rtp() if packet.destination[1] in self._ports
        )

    def times_spoken(self) -> dict[bytes, float]:
        """Return payload -> when the phone sent it, for payloads that it sent once only."""
        return _times((packet, payload) for packet, payload in self._rtp() if packet.source[1] in self._ports)

    def spoken(self) -> list[bytes]:
        """Payloads of the RTP packets that the phone sent, in order."""
        return [payload for packet, payload in self._rtp() if packet.source[1] in self._ports]

    def heard(self) -> list[bytes]:
        """Payloads of the RTP packets that the phone was sent, in order, since `forget`."""
        packets = self._rtp(self._heard_from)
        return [payload for packet, payload in packets if packet.destination[1] in self._ports]

    def arrivals(self) -> list[float]:
        """When RTP packets were sent to the phone, in order, since `forget`."""
        packets = self._rtp(self._heard_from)
        return [packet.at for packet, _ in packets if packet.destination[1] in self._ports]

    async def until_heard(self, count: int, *, timeout: float = 10) -> None:
        """Wait until the phone was sent `count` RTP packets."""
        await self._capture.until(lambda: len(self.heard()) >= count, f"{count} RTP packets", timeout=timeout)

    async def until_spoken(self, count: int, *, timeout: float = 10) -> None:
        """Wait until the phone has sent `count` RTP packets."""
        await self._capture.until(
            lambda: len(self.spoken()) >= count, f"{count} RTP packets", timeout=timeout
        )

    async def until_quiet(self, *, seconds: float = 0.5, timeout: float = 10) -> None:
        """Wait until nothing was sent to the phone for this long; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            while True:
                try:
                    await self.until_heard(len(self.heard()) + 1, timeout=seconds)
                except TimeoutError:
                    return

    def forget(self) -> None:
        """Forget what was heard; what was spoken may still be on its way to the other phone."""
        self._heard_from = len(self._capture.packets)

    def _rtp(self, start: int = 0) -> Iterator[tuple[Packet, bytes]]:
        for packet in self._capture.packets[max(start, self._start) :]:
            if packet.protocol == "udp":
                payload = rtp_payload(packet.payload)
                if payload is not None:
                    yield packet, payload


def _times(packets: Iterator[tuple[Packet, bytes]]) -> dict[bytes, float]:
    seen = [(payload, packet.at) for packet, payload in packets]
    counts = Counter(payload for payload, _ in seen)
    return {payload: at for payload, at in seen if counts[payload] == 1}


def sip_messages(capture: Capture, *, towards: int) -> list[str]:
    """Return the SIP messages (UDP) that were sent to a port, in order."""
    return [
        packet.payload.decode(errors="replace")
        for packet in capture.packets
        if packet.protocol == "udp" and packet.destination[1] == towards and b"SIP/2.0" in packet.payload
    ]


def last_caller(capture: Capture, port: int) -> str:
    """Return the display name in the last INVITE (UDP) that was sent to a phone's port; empty without one."""
    for message in reversed(sip_messages(capture, towards=port)):
        if message.startswith("INVITE "):
            lines = (line for line in message.splitlines() if line.lower().startswith(("from:", "f:")))
            return next(lines).partition(":")[2].partition("<")[0].strip(' "')
    return ""


def is_run_of(part: list[bytes], whole: list[bytes]) -> bool:
    """Tell whether `part` is one unbroken stretch of `whole`: nothing lost, changed or reordered."""
    if not part:
        return False
    starts = (index for index, item in enumerate(whole) if item == part[0])
    return any(whole[start : start + len(part)] == part for start in starts)
