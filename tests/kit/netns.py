"""Hosts on one switch, as Linux network namespaces. Needs root; nothing of the real network is touched."""

import ctypes
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from types import TracebackType
from typing import Self, TypeVar

CLONE_NEWNET = 0x40000000
SWITCH = "switch"
RTP_PORTS = 40
HELD_PORTS = range(10_000, 20_000)
FREE_PORTS = range(20_000, 30_000)
T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


def command_in(namespace: str | None, argv: Sequence[str]) -> list[str]:
    """Return the command that runs `argv` inside the namespace (or here, for None)."""
    return list(argv) if namespace is None else ["ip", "netns", "exec", namespace, *argv]


def inside(namespace: str | None, make: Callable[[], T]) -> T:
    """Call `make` on a thread that stands in the namespace: a socket made there stays there."""
    if namespace is None:
        return make()

    def enter_and_make() -> T:
        with open(f"/run/netns/{namespace}", "rb") as handle:
            if _libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), f"setns {namespace}")
        return make()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(enter_and_make).result()


def free_ports(namespace: str | None, count: int = 1, *, host: str = "127.0.0.1", step: int = 1) -> list[int]:
    """Return `count` ports, each with its `step - 1` successors free for UDP and TCP just now."""

    def search() -> list[int]:
        found: list[int] = []
        while len(found) < count:
            base = FREE_PORTS.start + step * secrets.randbelow(len(FREE_PORTS) // step)
            if base not in found and all(_is_free(host, base + i) for i in range(step)):
                found.append(base)
        return found

    return inside(namespace, search)


def _is_free(host: str, port: int) -> bool:
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                probe.bind((host, port))
    except OSError:
        return False
    return True


class HeldPorts:
    """`RTP_PORTS` ports for a phone, which binds some of them when it is in a call: no other phone is given them.

    On whatever host: captures tell phones by their ports.
    """

    def __init__(self) -> None:
        self._holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while True:
            first = HELD_PORTS.start + RTP_PORTS * secrets.randbelow(len(HELD_PORTS) // RTP_PORTS)
            self.ports = range(first, first + RTP_PORTS - 1)
            with suppress(OSError):
                self._holder.bind(("127.0.0.1", self.ports.stop))
                return

    def close(self) -> None:
        """Let others have them."""
        self._holder.close()


def ip(*arguments: str) -> None:
    """Run `ip`, which must succeed."""
    subprocess.run(["ip", *arguments], check=True, capture_output=True, timeout=10)


def _pids(namespace: str) -> list[int]:
    done = subprocess.run(["ip", "netns", "pids", namespace], check=True, capture_output=True, timeout=10)
    return [int(pid) for pid in done.stdout.split()]


class Namespaces:
    """Namespaces made together. A context manager; leaving it ends every process inside and removes them all."""

    def __init__(self) -> None:
        self._tag = f"fc{secrets.token_hex(3)}"
        self._made: list[str] = []

    def __enter__(self) -> Self:
        try:
            self.build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def build(self) -> None:
        """Make them."""
        raise NotImplementedError

    def namespace(self, host: str) -> str:
        """The namespace of a host."""
        return f"{self._tag}-{host}"

    def make(self, host: str) -> str:
        """Make a host with nothing but a loopback; return its namespace."""
        namespace = self.namespace(host)
        ip("netns", "add", namespace)
        self._made.append(namespace)
        ip("-n", namespace, "link", "set", "lo", "up")
        return namespace

    def cable(self, host: str, interface: str, other: str, other_interface: str) -> None:
        """Join two hosts by a cable; both its ends are up."""
        one, two = self.namespace(host), self.namespace(other)
        ends = ["type", "veth", "peer", "name", other_interface, "netns", two]
        ip("link", "add", interface, "netns", one, *ends)
        ip("-n", one, "link", "set", interface, "up")
        ip("-n", two, "link", "set", other_interface, "up")

    def _remove(self) -> None:
        for namespace in reversed(self._made):
            for pid in _pids(namespace):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            ip("netns", "delete", namespace)
        self._made.clear()


class Lan(Namespaces):
    """A bare switch with hosts on it: no router, no Internet, no name server."""

    def __init__(self, *hosts: str) -> None:
        super().__init__()
        self._network = f"10.{secrets.randbelow(200) + 20}.{secrets.randbelow(250)}"
        self._hosts = hosts

    def build(self) -> None:
        """Make the switch, and plug in all hosts."""
        switch = self.make(SWITCH)
        ip("-n", switch, "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
        ip("-n", switch, "link", "set", "br0", "up")
        for host in self._hosts:
            namespace, port = self.make(host), self._port(host)
            self.cable(host, "eth0", SWITCH, port)
            ip("-n", switch, "link", "set", port, "master", "br0")
            ip("-n", namespace, "address", "add", f"{self.address(host)}/24", "broadcast", "+", "dev", "eth0")

    def address(self, host: str) -> str:
        """The host's IPv4 address on the switch (interface `eth0`)."""
        return f"{self._network}.{self._hosts.index(host) + 1}"

    def cut(self, host: str) -> None:
        """Pull the host's cable."""
        ip("-n", self.namespace(SWITCH), "link", "set", self._port(host), "down")

    def heal(self, host: str) -> None:
        """Plug the host's cable in again."""
        ip("-n", self.namespace(SWITCH), "link", "set", self._port(host), "up")

    def _port(self, host: str) -> str:
        return f"port{self._hosts.index(host)}"
