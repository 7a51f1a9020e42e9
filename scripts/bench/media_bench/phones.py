"""Phones for the benchmark: plain sockets that speak 50 packets a second each, the kernel tells when one came.

The process that holds them shall not run on the core of the system under test.
"""

import select
import socket
import struct
import time
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"
INTERVAL_NS = 20_000_000
_SO_TIMESTAMPNS = 35
_STAMP = struct.Struct("qq")
_SENT = struct.Struct("!Q")
_HEADER = struct.Struct("!BBHII")
_SILENCE = bytes(152)
_PACKET_BYTES = _HEADER.size + _SENT.size + len(_SILENCE)
_LATE_NS = 300_000_000
"""So long after the last packet was sent, one that has not come is lost."""


@dataclass
class Talk:
    """What one run of talk came to. Delays are in microseconds, from the system call to the kernel's receipt."""

    sent: int = 0
    received: int = 0
    delays: list[float] = field(default_factory=list)


class Phones:
    """Pairs of phones: phone 2n is the caller, phone 2n + 1 the callee of call n."""

    def __init__(self, calls: int) -> None:
        self._sockets = [_open() for _ in range(2 * calls)]
        self._by_descriptor = {one.fileno(): one for one in self._sockets}
        self._poll = select.epoll()
        for one in self._sockets:
            self._poll.register(one.fileno(), select.EPOLLIN)
        self._numbers = [0] * len(self._sockets)
        self.ports = [int(one.getsockname()[1]) for one in self._sockets]

    def straight(self) -> list[int]:
        """Return where each phone sends when nothing lies between the two."""
        return [self.ports[at ^ 1] for at in range(len(self.ports))]

    def talk(self, to: list[int], seconds: float) -> Talk:
        """Let every phone send to its port, evenly spread in time; return what arrived."""
        talk = Talk()
        count = len(self._sockets)
        targets = [(LOOPBACK, port) for port in to]
        spacing = INTERVAL_NS / count
        begun = time.monotonic_ns()
        for turn in range(int(seconds * 1e9 / spacing)):
            due = begun + int(turn * spacing)
            ahead = due - time.monotonic_ns()
            if ahead > 0:
                time.sleep(ahead / 1e9)  # noqa: TID251 - a process of its own
            self._send(turn % count, targets[turn % count])
            talk.sent += 1
            if turn % 16 == 0:
                self._receive(talk, 0)
        deadline = time.monotonic_ns() + _LATE_NS
        while talk.received < talk.sent and time.monotonic_ns() < deadline:
            self._receive(talk, 0.01)
        return talk

    def _send(self, at: int, target: tuple[str, int]) -> None:
        number = self._numbers[at] = self._numbers[at] + 1
        header = _HEADER.pack(0x80, 0, number & 0xFFFF, number * 160 & 0xFFFFFFFF, at + 1)
        self._sockets[at].sendto(header + _SENT.pack(time.time_ns()) + _SILENCE, target)

    def _receive(self, talk: Talk, wait: float) -> None:
        for descriptor, _ in self._poll.poll(wait):
            data, extra, _, _ = self._by_descriptor[descriptor].recvmsg(2_048, 64)
            if len(data) != _PACKET_BYTES:
                continue  # RTCP of the system under test
            seconds, nanoseconds = _STAMP.unpack(extra[0][2])
            talk.received += 1
            sent = _SENT.unpack_from(data, _HEADER.size)[0]
            talk.delays.append((seconds * 1_000_000_000 + nanoseconds - sent) / 1e3)

    def close(self) -> None:
        """Hang up."""
        self._poll.close()
        for one in self._sockets:
            one.close()


def _open() -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setblocking(False)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    bound.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    bound.bind((LOOPBACK, 0))
    return bound


def sdp(port: int) -> bytes:
    """Return a phone's description."""
    head = f"v=0\r\no=- 1 1 IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\n"
    return (head + f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n").encode()


def media_port(description: bytes) -> int:
    """Return the port of the first section."""
    return int(description.split(b"m=audio ")[1].split(b" ")[0])
