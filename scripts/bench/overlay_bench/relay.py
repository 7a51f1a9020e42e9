"""The wire between the nodes: delays, cuts and counts what goes through the TUN device. A process of its own.

Orders come as JSON lines over a socket pair, one answer each: see `Wire`, the other end.
"""

import base64
import fcntl
import heapq
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time
from random import Random
from types import TracebackType
from typing import Any, Self

from .network import DEVICE, one_way_seconds

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
UDP = 17
HEADER_BYTES = 28  # IP and UDP
AT_ONCE = 64


class Relay:
    """Carries IPv4 packets from each node to each other, late by what their places say."""

    def __init__(self, device: int, seed: int) -> None:
        self._device = device
        self._seed = seed
        self._dice = Random(seed)
        self._late: list[tuple[float, int, bytes]] = []
        self._count = 0
        self._dead: set[int] = set()
        self._watched: set[int] = set()
        self._seen: list[tuple[float, int, int, str]] = []
        self._traffic: dict[int, list[int]] = {}
        self._largest = 0

    def take_in(self) -> None:
        """Read what is there, some at a time, and set each packet its time."""
        for _ in range(AT_ONCE):
            try:
                packet = os.read(self._device, 65_536)
            except BlockingIOError:
                return
            if len(packet) >= HEADER_BYTES and packet[9] == UDP:
                self._carry(packet, time.monotonic())

    def _carry(self, packet: bytes, now: float) -> None:
        source, target = packet[13] << 8 | packet[14], packet[17] << 8 | packet[18]
        self._largest = max(self._largest, len(packet) - HEADER_BYTES)
        sent = self._traffic.setdefault(source, [0, 0, 0, 0])
        sent[0] += 1
        sent[1] += len(packet)
        if source in self._dead or target in self._dead:
            return
        got = self._traffic.setdefault(target, [0, 0, 0, 0])
        got[2] += 1
        got[3] += len(packet)
        due = now + one_way_seconds(self._seed, source, target, self._dice)
        self._count += 1
        heapq.heappush(self._late, (due, self._count, packet))
        if source in self._watched or target in self._watched:
            body = base64.b64encode(packet[HEADER_BYTES:]).decode()
            self._seen.append((due, source, target, body))

    def deliver(self) -> float:
        """Write what is due; return how long until the next (1 s at most)."""
        while self._late:
            wait = self._late[0][0] - time.monotonic()
            if wait > 0:
                return wait
            try:
                os.write(self._device, heapq.heappop(self._late)[2])
            except OSError as error:  # the receiver's buffer is full: lost, as anywhere
                print(f"relay: {error}", file=sys.stderr)
        return 1.0

    def order(self, order: dict[str, Any]) -> Any:
        """Do what an order says."""
        match order["do"]:
            case "cut":
                self._dead.update(order["nodes"])
            case "watch":
                self._watched, self._seen = set(order["nodes"]), []
            case "seen":
                return self._seen
            case "reset":
                self._traffic = {}
            case "traffic":
                return self._traffic
            case "largest":
                return self._largest
        return None


def serve(orders: socket.socket, seed: int) -> None:
    """Relay until the other end of ``orders`` hangs up."""
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH", DEVICE.encode(), IFF_TUN | IFF_NO_PI))
    with orders:
        lines = orders.makefile("rw", encoding="ascii")
        relay = Relay(device, seed)
        poll = select.epoll()
        poll.register(device, select.EPOLLIN)
        poll.register(orders, select.EPOLLIN)
        while True:
            for ready, _ in poll.poll(relay.deliver()):
                if ready == device:
                    relay.take_in()
                    continue
                line = lines.readline()
                if not line:
                    return
                lines.write(json.dumps(relay.order(json.loads(line))) + "\n")
                lines.flush()


class Wire:
    """Starts a relay and gives it orders. Nodes are numbers, as in `network.address`. A context manager."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __enter__(self) -> Self:
        self._orders, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", __name__, str(theirs.fileno()), str(self._seed)]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        self._lines = self._orders.makefile("rw", encoding="ascii")
        self._order("reset")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._orders.close()
        self._process.wait(timeout=10)

    def _order(self, do: str, **more: Any) -> Any:
        self._lines.write(json.dumps({"do": do, **more}) + "\n")
        self._lines.flush()
        return json.loads(self._lines.readline())

    def cut(self, nodes: list[int]) -> None:
        """Let nothing through to or from these nodes any more, and tell nobody."""
        self._order("cut", nodes=nodes)

    def watch(self, nodes: list[int]) -> None:
        """Write down from now on what goes to and from these nodes."""
        self._order("watch", nodes=nodes)

    def seen(self) -> list[tuple[float, int, int, bytes]]:
        """Return what was written down: (monotonic time of arrival, source, target, UDP payload)."""
        return [(due, source, to, base64.b64decode(body)) for due, source, to, body in self._order("seen")]

    def reset(self) -> None:
        """Count traffic from zero."""
        self._order("reset")

    def traffic(self) -> dict[int, list[int]]:
        """Return each node's packets sent, bytes sent, packets got, bytes got; with IP and UDP headers."""
        return {int(node): counts for node, counts in self._order("traffic").items()}

    def largest(self) -> int:
        """Return the largest UDP payload since the relay started."""
        largest: int = self._order("largest")
        return largest


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))
