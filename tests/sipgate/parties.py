"""A small user agent server on an endpoint, and what tests of real sockets share."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.endpoint import Endpoint
from sipgate.protocol.message import Request, Response, parse_message, reply
from sipgate.protocol.timers import TimerValues
from sipgate.server_transaction import ServerTransaction, Unacknowledged
from sipgate.tls import server_context
from sipgate.transport import Hop, TransportLimits, TransportName

LOCAL = "127.0.0.1"
FAST = TimerValues(t1=0.02, t2=0.1, t4=0.1, trying=0.02)


@dataclass
class Answering:
    """Answers INVITE with `status` after ringing, everything else with 200; keeps what it saw."""

    status: int = 200
    rings: bool = True
    waits: bool = False
    seen: list[ServerTransaction] = field(default_factory=list)
    acks: list[Request] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    unacknowledged: int = 0
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, transaction: ServerTransaction) -> None:
        self.seen.append(transaction)
        request = transaction.request
        if request.method != "INVITE":
            await transaction.respond(reply(request, 200, tag="b"))
            return
        if self.rings:
            await transaction.respond(reply(request, 180, tag="b"))
        if self.waits:
            self.reasons.append(await transaction.cancelled.wait())
            await transaction.respond(reply(request, 487, tag="b"))
            return
        await transaction.respond(reply(request, self.status, tag="b"))
        self.answered.set()
        if self.status < 300:
            await self._confirm(transaction)

    async def _confirm(self, transaction: ServerTransaction) -> None:
        try:
            self.acks.append(await transaction.acked)
        except Unacknowledged:
            self.unacknowledged += 1
        self.news.set()


async def until(check: Callable[[], bool], timeout: float = 5.0) -> None:
    """Wait until something is so that no event tells of."""
    for _ in range(int(timeout / 0.005)):
        if check():
            return
        await asyncio.sleep(0.005)
    raise TimeoutError


async def silent(transaction: ServerTransaction) -> None:
    """Take a request and never answer."""


@dataclass
class Pair:
    """Two endpoints; `b` serves, `hops` lead to it."""

    a: Endpoint
    b: Endpoint
    serving: Answering
    hops: dict[TransportName, Hop]


@asynccontextmanager
async def pair(
    serving: Answering | None = None, timers: TimerValues | None = None, limits: TransportLimits | None = None
) -> AsyncIterator[Pair]:
    """Yield a pair on loopback, ready to talk over each transport."""
    serving = serving or Answering()
    key = Ed25519PrivateKey.generate()
    async with (
        Endpoint(on_request=serving, timers=timers, transport_limits=limits) as b,
        Endpoint(on_request=silent, timers=timers) as a,
    ):
        await a.listen_udp(LOCAL, 0)
        hops: dict[TransportName, Hop] = {
            "udp": Hop("udp", LOCAL, await b.listen_udp(LOCAL, 0)),
            "tcp": Hop("tcp", LOCAL, await b.listen_tcp(LOCAL, 0)),
            "tls": Hop(
                "tls",
                LOCAL,
                await b.listen_tls(LOCAL, 0, server_context(key)),
                key.public_key().public_bytes_raw(),
            ),
        }
        yield Pair(a, b, serving, hops)


class RawPhone:
    """A UDP socket without any SIP behind it."""

    def __init__(self, port: int) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind((LOCAL, 0))
        self._sock.setblocking(False)
        self._to = (LOCAL, port)
        self.port: int = self._sock.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def send(self, message: Request | Response | bytes) -> None:
        """Send one datagram."""
        self._sock.sendto(bytes(message), self._to)

    async def receive(self, timeout: float = 5.0) -> Request | Response:
        """Return the next datagram."""
        async with asyncio.timeout(timeout):
            return parse_message(await asyncio.get_running_loop().sock_recv(self._sock, 65_536))

    async def response(self, status: int) -> Response:
        """Skip to the next response with that status."""
        while True:
            message = await self.receive()
            if isinstance(message, Response) and message.status == status:
                return message
