"""Choosing ports: the one asked for, or the next free one after the default."""

import errno
import socket
from collections.abc import Sequence

from .addresses import split_host_port
from .errors import NoFreePort

PORTS_TO_TRY = 50
BOTH = (socket.SOCK_DGRAM, socket.SOCK_STREAM)


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
