"""Hostile input: random bytes, and real messages with something broken in them."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import count, islice
from pathlib import Path
from typing import cast

from tests.kit.netns import free_ports

PER_CONNECTION = 5
AT_A_TIME = 20
SIP_SEEDS = tuple(
    message.replace("\n", "\r\n").encode()
    for message in (
        """\
REGISTER sip:mesh SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK{n};rport
Max-Forwards: 70
From: <sip:alice@mesh>;tag=a{n}
To: <sip:alice@mesh>
Call-ID: register-{n}
CSeq: 1 REGISTER
Contact: <sip:alice@127.0.0.1:5999>;expires=60
Authorization: Digest username="alice", realm="mesh", nonce="0", uri="sip:mesh", response="0", qop=auth, nc=1
Content-Length: 0

""",
        """\
INVITE sip:bob@mesh SIP/2.0
v: SIP/2.0/TCP 127.0.0.1:5999;branch=z9hG4bK{n}
Max-Forwards: 70
f: "Alice" <sip:alice@mesh>;tag=a{n}
t: <sip:bob@mesh>
i: invite-{n}
CSeq: 1 INVITE
m: <sip:alice@127.0.0.1:5999;transport=tcp>
c: application/sdp
l: 56

v=0
o=- 1 1 IN IP4 127.0.0.1
s=-
m=audio 4000 RTP/AVP 0
""",
        """\
OPTIONS sip:mesh SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5999;branch=z9hG4bK{n}, SIP/2.0/UDP proxy;branch=z9hG4bKx
From: sip:alice@mesh;tag=a{n}
To: sip:mesh
Call-ID: options-{n}
CSeq: 1 OPTIONS
Route: <sip:127.0.0.1;lr>
Content-Length: 0

""",
        """\
SIP/2.0 200 OK
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK{n}
From: <sip:alice@mesh>;tag=a
To: <sip:bob@mesh>;tag=b
Call-ID: response-{n}
CSeq: 1 INVITE
Content-Length: 0

""",
    )
)


def mutate(rng: random.Random, seed: bytes) -> bytes:
    """Return the message with one to four faults: bits, cuts, repeats, inserted or swapped pieces."""
    data = bytearray(seed.replace(b"{n}", b"%d" % rng.randrange(10**9)))
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        at = rng.randrange(len(data))
        piece = slice(at, at + rng.randint(1, 32))
        match rng.randrange(5):
            case 0:
                data[at] ^= 1 << rng.randrange(8)
            case 1:
                del data[piece]
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 16))
            case 3:
                data[at:at] = data[piece] * rng.randint(1, 40)
            case _:
                del data[at:]
    return bytes(data[:60_000])


def noise(rng: random.Random, seeds: Sequence[bytes], number: int) -> Iterator[bytes]:
    """Yield `number` messages: a third random bytes, the others mutated from the seeds."""
    for index in range(number):
        if index % 3 == 0 or not seeds:
            yield rng.randbytes(rng.choice((1, 2, 20, 100, 512, 1200, 1472)))
        else:
            yield mutate(rng, rng.choice(seeds))


class Tap(asyncio.DatagramProtocol):
    """A UDP forwarder that keeps what passes: put it before a node to collect real datagrams as seeds."""

    def __init__(self, behind: tuple[str, int]) -> None:
        self.seen: list[bytes] = []
        self.address = ("127.0.0.1", 0)
        self._behind = behind
        self._client: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self) -> None:
        """Start to listen on `address`."""
        (port,) = free_ports(None)
        self.address = ("127.0.0.1", port)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=self.address)

    def close(self) -> None:
        """Stop."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.seen.append(data)
        assert self._transport is not None
        if addr != self._behind:
            self._client = addr
            self._transport.sendto(data, self._behind)
        elif self._client is not None:
            self._transport.sendto(data, self._client)


class _Silent(asyncio.DatagramProtocol):
    """A socket whose answers nobody reads."""


def _unread_bytes(port: int) -> int:
    """Return what waits in the receive buffers of the UDP sockets on a port (proc(5), /proc/net/udp)."""
    rows = (line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:])
    return sum(int(row[4].partition(":")[2], 16) for row in rows if int(row[1].partition(":")[2], 16) == port)


def _addresses() -> Iterator[tuple[str, int]]:
    """Yield loopback addresses, each another one: what is limited per sender shall not protect the receiver."""
    for number in count(2):
        yield f"127.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 0


async def flood_udp(address: tuple[str, int], messages: Iterator[bytes], *, burst: int = 25) -> int:
    """Send each burst of messages from an address of its own, and let the receiver read it all."""
    loop = asyncio.get_running_loop()
    sent = 0
    for sender in _addresses():
        group = list(islice(messages, burst))
        if not group:
            break
        transport, _ = await loop.create_datagram_endpoint(_Silent, local_addr=sender, remote_addr=address)
        try:
            for message in group:
                transport.sendto(message)
            async with asyncio.timeout(10):
                while _unread_bytes(address[1]):  # noqa: ASYNC110 (the kernel sets no event)
                    await asyncio.sleep(0.001)
        finally:
            transport.abort()
        sent += len(group)
    return sent


async def flood_tcp(address: tuple[str, int], messages: Iterator[bytes]) -> int:
    """Write the messages into connections, a few into each and some connections at a time."""
    sent = 0
    senders = _addresses()
    pieces = iter(lambda: list(islice(messages, PER_CONNECTION)), [])
    while group := list(islice(pieces, AT_A_TIME)):
        async with asyncio.TaskGroup() as tasks:
            for piece in group:
                tasks.create_task(_one_connection(address, next(senders), piece))
        sent += sum(len(piece) for piece in group)
    return sent


async def _one_connection(address: tuple[str, int], sender: tuple[str, int], messages: list[bytes]) -> None:
    """Write all, end, and read until the other side has ended too (it may well have had enough before)."""
    with suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(1):
            reader, writer = await asyncio.open_connection(*address, local_addr=sender)
            try:
                writer.writelines(messages)
                await writer.drain()
                writer.write_eof()
                await reader.read()
            finally:
                writer.transport.abort()
