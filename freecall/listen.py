"""Choosing ports: the one asked for, or the next free one after the default."""

import errno
import socket
from collections.abc import Sequence
from dataclasses import dataclass

from overlay.protocol.endpoint import Endpoint

from .addresses import split_host_port
from .config import MESH_PORT, SIP_PORT, Config
from .errors import NoFreePort

PORTS_TO_TRY = 50
ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 - a node is there to be reached
BOTH = (socket.SOCK_DGRAM, socket.SOCK_STREAM)


@dataclass(frozen=True)
class Ports:
    """Where the node listens."""

    mesh_hosts: tuple[str, ...]
    mesh: int
    sip_host: str
    sip: int

    @classmethod
    def choose(cls, config: Config) -> "Ports":
        """Return the ports of the configuration, or the next free ones after the defaults.

        Raises:
            NoFreePort: a port that was asked for is taken.
        """
        hosts, port, exact = hosts_of(config.node.listen, ALL_ADDRESSES, MESH_PORT)
        sip_hosts, sip_port, sip_exact = hosts_of(config.phones.sip, ["127.0.0.1"], SIP_PORT)
        return cls(
            mesh_hosts=tuple(hosts),
            mesh=free_port(hosts, port, exact=exact),
            sip_host=sip_hosts[0],
            sip=free_port(sip_hosts, sip_port, exact=sip_exact),
        )

    def mesh_endpoints(self) -> list[Endpoint]:
        """Return the sockets of the mesh."""
        return [Endpoint(host, self.mesh) for host in self.mesh_hosts]


def free_port(hosts: Sequence[str], wanted: int, *, exact: bool) -> int:
    """Return a port that is free for UDP and TCP on all ``hosts``: ``wanted``, else (unless ``exact``) one soon after.

    ``wanted`` 0 lets the system choose.

    Raises:
        NoFreePort: none of the ports tried is free, or an address is not this machine's.
    """
    if wanted == 0:
        candidates = [_system_choice(hosts[0]) for _ in range(PORTS_TO_TRY)]
    else:
        candidates = [wanted] if exact else list(range(wanted, wanted + PORTS_TO_TRY))
    reason = "in use"
    for port in candidates:
        problem = _problem(hosts, port)
        if problem is None:
            return port
        if problem.errno != errno.EADDRINUSE:
            reason = problem.strerror or str(problem)
            break
    where = ", ".join(f"{host}:{candidates[0]}" for host in hosts)
    raise NoFreePort(f"{where} cannot be opened ({reason}). Stop what uses it, or choose another HOST:PORT.")


def hosts_of(text: str, default_hosts: Sequence[str], default_port: int) -> tuple[list[str], int, bool]:
    """Return (hosts, port, whether the port was asked for) of a HOST:PORT setting that may be empty."""
    if not text:
        return [host for host in default_hosts if _is_usable(host)], default_port, False
    host, port = split_host_port(text)
    return [host], port, True


def _is_usable(host: str) -> bool:
    return _problem([host], 0) is None


def _problem(hosts: Sequence[str], port: int) -> OSError | None:
    for host in hosts:
        for kind in BOTH:
            try:
                with _socket(host, kind) as probe:
                    probe.bind((host, port))
            except OSError as error:
                return error
    return None


def _system_choice(host: str) -> int:
    with _socket(host, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError as error:
            raise NoFreePort(f"{host} is no address of this machine ({error.strerror}).") from error
        port: int = probe.getsockname()[1]
        return port


def _socket(host: str, kind: socket.SocketKind) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, kind)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if kind == socket.SOCK_STREAM:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made
