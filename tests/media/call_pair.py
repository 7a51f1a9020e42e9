"""Two nodes' media joined in one process, with phones that are plain UDP sockets. Everything on loopback."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from media.call_media import CallMedia, Parties
from media.events import MediaEvent, Secured
from media.sockets import LOOP_SOCKETS, Sockets

LOOPBACK = "127.0.0.1"
SOCKETS: list[Sockets] = [LOOP_SOCKETS]
"""The last of them are what calls use: tests of the pump put theirs here."""

PARTIES = Parties("A" * 40, "B" * 40, b"a" * 20, b"b" * 20)


@dataclass
class FastEndorser:
    """Signs with Ed25519 in place of OpenPGP; knows the one key that the peer must sign with."""

    own: Ed25519PrivateKey
    peer: Ed25519PublicKey

    async def sign(self, statement: bytes) -> bytes:
        return self.own.sign(statement)

    async def verify(self, statement: bytes, signature: bytes) -> bool:
        try:
            self.peer.verify(signature, statement)
        except InvalidSignature:
            return False
        return True


def endorsers() -> tuple[FastEndorser, FastEndorser]:
    """Return the caller's and the callee's, each knowing the other's key."""
    one, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    return FastEndorser(one, other.public_key()), FastEndorser(other, one.public_key())


class Phone(asyncio.DatagramProtocol):
    """A phone's RTP port and RTCP port; keeps what it hears."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.heard_rtcp: asyncio.Queue[bytes] = asyncio.Queue()
        self.node = (LOOPBACK, 0)
        self._transports: list[asyncio.DatagramTransport] = []

    async def open(self) -> "Phone":
        loop = asyncio.get_running_loop()
        for queue in (self.heard, self.heard_rtcp):
            transport, _ = await loop.create_datagram_endpoint(partial(_Ear, queue), local_addr=(LOOPBACK, 0))
            self._transports.append(transport)
        return self

    @property
    def port(self) -> int:
        return int(self._transports[0].get_extra_info("sockname")[1])

    @property
    def rtcp_port(self) -> int:
        return int(self._transports[1].get_extra_info("sockname")[1])

    def sdp(self, *, direction: str = "sendrecv", extra: str = "", version: int = 1) -> bytes:
        return (
            f"v=0\r\no=phone 1 {version} IN IP4 {LOOPBACK}\r\ns=-\r\nc=IN IP4 {LOOPBACK}\r\nt=0 0\r\n"
            f"m=audio {self.port} RTP/AVP 0 8 101\r\na=rtcp:{self.rtcp_port}\r\n"
            f"a=rtpmap:101 telephone-event/8000\r\na={direction}\r\n{extra}"
        ).encode()

    def listen_to(self, sdp: bytes) -> None:
        """Note where the node takes RTP, from the SDP it gave us."""
        line = next(line for line in sdp.decode().splitlines() if line.startswith("m=audio"))
        self.node = (LOOPBACK, int(line.split(" ")[1]))

    def send(self, packet: bytes) -> None:
        self._transports[0].sendto(packet, self.node)

    def send_rtcp(self, packet: bytes) -> None:
        self._transports[1].sendto(packet, (self.node[0], self.node[1] + 1))

    async def hears(self, packet: bytes, *, seconds: float = 3) -> None:
        """Wait until exactly that packet has come next."""
        async with asyncio.timeout(seconds):
            assert await self.heard.get() == packet

    def close(self) -> None:
        for transport in self._transports:
            transport.close()


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, queue: asyncio.Queue[bytes]) -> None:
        self._queue = queue

    def datagram_received(self, data: bytes, _addr: tuple[Any, ...]) -> None:
        self._queue.put_nowait(data)


def rtp(
    number: int, payload: bytes = b"\x55" * 160, *, ssrc: int = 7, kind: int = 0, marker: bool = False
) -> bytes:
    """Return one RTP packet."""
    return (
        struct.pack("!BBHII", 0x80, kind | marker << 7, number % 65536, number * 160 % 2**32, ssrc) + payload
    )


def sender_report(ssrc: int = 7) -> bytes:
    """Return an RTCP SR without reports."""
    return struct.pack("!BBHI", 0x80, 200, 6, ssrc) + bytes(20)


async def until(fact: Callable[[], bool], *, seconds: float = 3) -> None:
    """Wait for a fact that nothing announces: a counter, a packet at a phone."""
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110 - nothing announces it
            await asyncio.sleep(0.01)


@dataclass
class Side:
    """One end: the phone, its node's media and what that told."""

    phone: Phone
    media: CallMedia
    events: list[MediaEvent]
    told: asyncio.Event

    async def secured(self, seconds: float = 5) -> Secured:
        async with asyncio.timeout(seconds):
            while True:
                for event in self.events:
                    if isinstance(event, Secured):
                        return event
                self.told.clear()
                await self.told.wait()


@dataclass
class Pair:
    """A call between two nodes."""

    caller: Side
    callee: Side
    wire: list[bytes] = field(default_factory=list)

    async def ring(self, offer: bytes | None = None) -> None:
        """INVITE and 180: the offer goes over, the callee's fragment comes back where it may."""
        mesh = await self.caller.media.offer_from_phone(offer or self.caller.phone.sdp())
        self.callee.phone.listen_to(await self.callee.media.offer_from_mesh(mesh))
        fragment = self.callee.media.transport_fragment()
        if fragment is not None:
            await self.caller.media.transport_from_mesh(fragment)

    async def answer(self, answer: bytes | None = None) -> None:
        """200 and ACK."""
        mesh = await self.callee.media.answer_from_phone(answer or self.callee.phone.sdp())
        self.caller.phone.listen_to(await self.caller.media.answer_from_mesh(mesh))
        fragment = self.caller.media.transport_fragment()
        if fragment is not None:
            await self.callee.media.transport_from_mesh(fragment)

    async def secured(self, seconds: float = 5) -> tuple[Secured, Secured]:
        return await self.caller.secured(seconds), await self.callee.secured(seconds)


def make_media(role: str, endorser: Any, on_event: Callable[[MediaEvent], None], **options: Any) -> CallMedia:
    """Return one side's media, on loopback."""
    return CallMedia(
        **{
            "role": role,
            "call_id": "call-1@test",
            "parties": PARTIES,
            "endorser": endorser,
            "phone_host": LOOPBACK,
            "phone_allowed": frozenset({LOOPBACK}),
            "mesh_addresses": (LOOPBACK,),
            "early": True,
            "mute_until_confirmed": True,
            "on_event": on_event,
            "sockets": SOCKETS[-1],
            **options,
        }
    )


async def make_side(role: str, endorser: Any, *, phone: Phone | None = None, **options: Any) -> Side:
    """Return one side with an open phone; its media does not run yet."""
    events: list[MediaEvent] = []
    told = asyncio.Event()

    def tell(event: MediaEvent) -> None:
        events.append(event)
        told.set()

    return Side(await (phone or Phone()).open(), make_media(role, endorser, tell, **options), events, told)


@contextlib.asynccontextmanager
async def running(*sides: Side) -> AsyncIterator[None]:
    """Run the media of these sides, and close all of it at the end."""
    with (
        contextlib.ExitStack() as phones
    ):  # around the group: closed last, as the port may be another test's at once
        for side in sides:
            phones.callback(side.phone.close)
        async with asyncio.TaskGroup() as group:
            for side in sides:
                group.create_task(side.media.run())
            try:
                yield
            finally:
                for side in sides:
                    await side.media.aclose()


@contextlib.asynccontextmanager
async def call(
    caller: dict[str, Any] | None = None, callee: dict[str, Any] | None = None, **both: Any
) -> AsyncIterator[Pair]:
    """Two sides that know each other's key; options for one or both."""
    ours, theirs = endorsers()
    first = await make_side("caller", **{"endorser": ours, **both, **(caller or {})})
    second = await make_side("callee", **{"endorser": theirs, **both, **(callee or {})})
    async with running(first, second):
        yield Pair(first, second)


@contextlib.asynccontextmanager
async def answered_call(**options: Any) -> AsyncIterator[Pair]:
    """A call that has been answered and secured."""
    async with call(**options) as pair:
        await pair.ring()
        await pair.answer()
        await pair.secured()
        yield pair
