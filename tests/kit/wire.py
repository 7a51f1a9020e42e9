"""Two hosts on a poor line: a cable with delay, loss and a rate. Needs root, and no `netem` in the kernel."""

import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import time
from dataclasses import dataclass
from itertools import count
from threading import Thread

from tests.kit.netns import Namespaces, command_in, inside, ip

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
ETHERNET_HEADER = 14
LONGEST_FRAME = 65_536
TAP_QUEUE_PACKETS = 10_000
"""The kernel's own queue before the cable: so long that a busy machine adds no loss to ours."""

NETWORK = "45.0.0"
"""Addresses of the world, as in `tests.kit.internet`: a node announces these."""


@dataclass(frozen=True)
class Line:
    """What one direction of a cable does to frames.

    `delay_seconds` is one way. `loss` is a share, 0 to 1; each frame is lost independently. `kilobits_per_second`
    counts IP packets without Ethernet's header; None is no bound. What would wait longer than `queue_seconds` for
    its turn is dropped, as a router drops it.
    """

    delay_seconds: float = 0.0
    loss: float = 0.0
    kilobits_per_second: float | None = None
    queue_seconds: float = 0.5


class _Direction:
    """Where frames of one direction go, and when."""

    def __init__(self, output: int, line: Line) -> None:
        self.output = output
        self.line = line
        self._free_at = self._last_at = 0.0

    def arrival(self, size: int, now: float, chance: float) -> float | None:
        """Return when a frame that enters now comes out; None when it does not."""
        line, sent_at = self.line, now
        if line.kilobits_per_second is not None:
            begins_at = max(self._free_at, now)
            if begins_at - now > line.queue_seconds:
                return None
            sent_at = begins_at + (size - ETHERNET_HEADER) / (125 * line.kilobits_per_second)
            self._free_at = sent_at
        if chance < line.loss:
            return None
        self._last_at = max(sent_at + line.delay_seconds, self._last_at)  # a cable does not reorder
        return self._last_at


class Wire(Namespaces):
    """Hosts `a` and `b`, and a cable between their interfaces `eth0`. A context manager that owns the cable's thread.

    The losses are the same each time for the same frames and `seed`. `line` may be set while frames pass.
    """

    def __init__(self, line: Line | None = None, *, seed: int = 1) -> None:
        super().__init__()
        self.is_cut = False
        """While set, nothing arrives: what is on the cable is lost. Neither host sees its interface go down."""
        self._line = line or Line()
        self._chance = random.Random(seed)
        self._taps: list[int] = []
        self._directions: dict[int, _Direction] = {}
        self._thread: Thread | None = None
        self._stop = os.eventfd(0)

    def build(self) -> None:
        """Make both hosts and let the cable carry."""
        for host in ("a", "b"):
            namespace = self.make(host)
            self._taps.append(inside(namespace, _open_tap))
            ip("-n", namespace, "link", "set", "eth0", "txqueuelen", str(TAP_QUEUE_PACKETS))
            no_ipv6 = command_in(namespace, ["sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1"])
            subprocess.run(no_ipv6, check=True, timeout=10)
            ip("-n", namespace, "address", "add", f"{self.address(host)}/24", "dev", "eth0")
            ip("-n", namespace, "link", "set", "eth0", "up")
            ip("-n", namespace, "route", "add", "default", "dev", "eth0")
        one, other = self._taps
        self._directions = {one: _Direction(other, self._line), other: _Direction(one, self._line)}
        self._thread = Thread(target=self._carry, name="wire")
        self._thread.start()

    @staticmethod
    def address(host: str) -> str:
        """The host's IPv4 address on the cable."""
        return f"{NETWORK}.{1 + 'ab'.index(host)}"

    @property
    def line(self) -> Line:
        """What both directions do to frames that enter from now on."""
        return self._line

    @line.setter
    def line(self, line: Line) -> None:
        self._line = line
        for direction in self._directions.values():
            direction.line = line

    def _carry(self) -> None:
        due: list[tuple[float, int, int, bytes]] = []
        order = count()
        while True:
            wait = max(0.0, due[0][0] - time.monotonic()) if due else None
            readable, _, _ = select.select([*self._taps, self._stop], [], [], wait)
            if self._stop in readable:
                return
            for tap in readable:
                frame, direction = os.read(tap, LONGEST_FRAME), self._directions[tap]
                at = direction.arrival(len(frame), time.monotonic(), self._chance.random())
                if at is not None:
                    heapq.heappush(due, (at, next(order), direction.output, frame))
            while due and due[0][0] <= time.monotonic():
                _, _, output, frame = heapq.heappop(due)
                if not self.is_cut:
                    os.write(output, frame)

    def _remove(self) -> None:
        os.eventfd_write(self._stop, 1)
        if self._thread is not None:
            self._thread.join()
        for handle in (*self._taps, self._stop):
            os.close(handle)
        super()._remove()


def _open_tap() -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TAP | IFF_NO_PI))
    except OSError:
        os.close(tap)
        raise
    return tap
