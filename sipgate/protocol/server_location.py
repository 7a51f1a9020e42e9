"""Locating the servers of a SIP domain (RFC 3263 section 4, RFC 2782), as questions to the DNS and their answers.

`locate` is a generator: it yields each `Question`, is sent the records that answer it, and returns the servers to
try, best first. What the DNS says is hostile: records that make no sense are passed over, and each kind has a cap.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from .errors import SipError
from .uri import Uri

Transport = Literal["udp", "tcp", "tls"]

MAX_RECORDS = 16  # of one answer
MAX_ADDRESSES = 4  # of one name
MAX_SERVERS = 8  # of one domain
MAX_NAME = 253

_SERVICES: dict[str, Transport] = {"SIPS+D2T": "tls", "SIP+D2U": "udp", "SIP+D2T": "tcp"}
_SRV: dict[Transport, str] = {"tls": "_sips._tcp", "udp": "_sip._udp", "tcp": "_sip._tcp"}
_DEFAULT_PORT: dict[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061}
_TRANSPORTS: tuple[Transport, ...] = ("tls", "udp", "tcp")


@dataclass(frozen=True)
class Question:
    """What to ask the DNS: NAPTR or SRV records, or the addresses (A and AAAA) of a name."""

    kind: Literal["NAPTR", "SRV", "ADDRESS"]
    name: str


@dataclass(frozen=True)
class Naptr:
    """A NAPTR record (RFC 3403 section 4.1)."""

    order: int
    preference: int
    flags: str
    service: str
    regexp: str
    replacement: str


@dataclass(frozen=True)
class Srv:
    """An SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Record: TypeAlias = Naptr | Srv | str
"""A `str` is an IP literal."""

Location: TypeAlias = Generator[Question, Sequence[Record], "tuple[Server, ...]"]
_Found: TypeAlias = Generator[Question, Sequence[Record], "list[Server]"]


@dataclass(frozen=True)
class Server:
    """One way to a domain; `host` is an IP literal."""

    transport: Transport
    host: str
    port: int


def locate(uri: Uri, chance: Callable[[int], int]) -> Location:
    """Find the servers of a sip or sips URI, at most `MAX_SERVERS`; none when the domain takes no calls.

    `chance(n)` gives a number from 0 to n - 1, each as likely. Raises SipError (400) for a URI that asks for what
    is not done: another transport, `maddr`, or sips over UDP.
    """
    transport = _asked_transport(uri)
    host = uri.host.strip("[]").rstrip(".").lower()
    if _is_address(host):
        chosen = transport or _default(uri)
        return (Server(chosen, host, uri.port or _DEFAULT_PORT[chosen]),)
    if not host or len(host) > MAX_NAME:
        return ()
    if uri.port:
        chosen = transport or _default(uri)
        return tuple((yield from _at(chosen, [(host, uri.port)])))
    if transport is not None:
        names = [(transport, f"{_SRV[transport]}.{host}")]
    else:
        names = yield from _by_naptr(uri, host)
    for each, name in names:
        records = [record for record in (yield Question("SRV", name)) if isinstance(record, Srv)]
        if records:
            ordered = in_order(records[:MAX_RECORDS], chance)
            return tuple((yield from _at(each, [(one.target, one.port) for one in ordered])))
    chosen = transport or _default(uri)
    return tuple((yield from _at(chosen, [(host, _DEFAULT_PORT[chosen])])))


def in_order(records: Iterable[Srv], chance: Callable[[int], int]) -> list[Srv]:
    """Return SRV records in the order to try them: by priority, then by chance according to weight (RFC 2782)."""
    waiting = sorted(records, key=lambda record: (record.priority, record.weight))
    ordered: list[Srv] = []
    while waiting:
        group = [record for record in waiting if record.priority == waiting[0].priority]
        drawn = chance(sum(record.weight for record in group) + 1)
        for record in group:
            drawn -= record.weight
            if drawn <= 0:
                break
        ordered.append(record)
        waiting.remove(record)
    return ordered


def _asked_transport(uri: Uri) -> Transport | None:
    """Return the transport that the URI names (RFC 3263 section 4.1, first paragraph)."""
    if "maddr" in uri.parameters:
        raise SipError(400, "An address with maddr cannot be called from here")
    asked = (uri.parameters.get("transport") or "").lower()
    if not asked:
        return None
    if uri.scheme == "sips" and asked in ("tcp", "tls"):
        return "tls"
    for transport in _TRANSPORTS:
        if asked == transport and uri.scheme == "sip":
            return transport
    raise SipError(400, "Other domains are called by UDP, TCP or TLS only")


def _default(uri: Uri) -> Transport:
    return "tls" if uri.scheme == "sips" else "udp"


def _by_naptr(uri: Uri, host: str) -> Generator[Question, Sequence[Record], list[tuple[Transport, str]]]:
    """Return transports with the names of their SRV records: as the domain prefers, else as we do."""
    records = [record for record in (yield Question("NAPTR", host)) if isinstance(record, Naptr)]
    usable = [record for record in records[:MAX_RECORDS] if _is_usable(record, uri)]
    usable.sort(key=lambda record: (record.order, record.preference))
    if usable:
        return [(_SERVICES[record.service.upper()], record.replacement) for record in usable]
    ours = _TRANSPORTS if uri.scheme == "sip" else ("tls",)
    return [(transport, f"{_SRV[transport]}.{host}") for transport in ours]


def _is_usable(record: Naptr, uri: Uri) -> bool:
    transport = _SERVICES.get(record.service.upper())
    if transport is None or (uri.scheme == "sips" and transport != "tls"):
        return False
    return record.flags.lower() == "s" and not record.regexp and _is_name(record.replacement)


def _at(transport: Transport, places: Iterable[tuple[str, int]]) -> _Found:
    """Return a server for each address of each name, as far as there is room."""
    known: dict[str, list[str]] = {}
    servers: list[Server] = []
    for name, port in places:
        if len(servers) >= MAX_SERVERS:
            break
        if not 0 < port < 65_536 or not _is_name(name):  # "." says that there is no such service (RFC 2782)
            continue
        if name not in known:
            records = yield Question("ADDRESS", name)
            known[name] = [each for each in records if isinstance(each, str) and _is_address(each)]
        servers += [Server(transport, address, port) for address in known[name][:MAX_ADDRESSES]]
    return list(dict.fromkeys(servers))[:MAX_SERVERS]


def _is_name(name: str) -> bool:
    return 0 < len(name.rstrip(".")) <= MAX_NAME and not _is_address(name)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
