"""A DNS server on loopback that knows a few records, and an asynchronous resolver that asks nobody else."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Any, Self

import dns.asyncresolver
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

LOOPBACK = "127.0.0.1"


def udp_socket(host: str, port: int) -> socket.socket:
    """Return a bound socket."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((host, port))
    return sock


class DnsServer(asyncio.DatagramProtocol):
    """Answers from `zone`: (name, kind) to the records as text. `rcode` fails all questions, `is_silent` drops them.

    Without a `sock` it listens on loopback.
    """

    def __init__(
        self, zone: dict[tuple[str, str], list[str]] | None = None, sock: socket.socket | None = None
    ) -> None:
        self.zone = zone if zone is not None else {}
        self.asked: list[tuple[str, str]] = []
        self.rcode = dns.rcode.NOERROR
        self.is_silent = False
        self.port = 0
        self._socket = sock

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._socket is None:
            self._socket = udp_socket(LOOPBACK, 0)
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, sock=self._socket)
        self.port = self._transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def resolver(self) -> dns.asyncresolver.Resolver:
        """Return what asks this server only."""
        made = dns.asyncresolver.Resolver(configure=False)
        made.nameservers = [LOOPBACK]
        made.port = self.port
        return made

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        kind = dns.rdatatype.to_text(question.rdtype)
        name = question.name.to_text(omit_final_dot=True).lower()
        self.asked.append((kind, name))
        if self.is_silent:
            return
        response = dns.message.make_response(query)
        response.set_rcode(self.rcode)
        response.flags |= dns.flags.RA
        for found in self._chain(name, kind):
            response.answer.append(found)
        if not response.answer and not any(known == name for known, _ in self.zone):
            response.set_rcode(self.rcode or dns.rcode.NXDOMAIN)
        self._transport.sendto(response.to_wire(), addr)

    def _chain(self, name: str, kind: str) -> list[dns.rrset.RRset]:
        """Return the records with the aliases that lead to them."""
        found = []
        for _ in range(20):
            alias = self.zone.get((name, "CNAME"))
            if alias is None:
                break
            found.append(dns.rrset.from_text(f"{name}.", 60, "IN", "CNAME", *alias))
            name = alias[0].rstrip(".")
        if records := self.zone.get((name, kind)):
            found.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *records))
        return found
