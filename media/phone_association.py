"""One DTLS association of a node with one of its phones, and the SRTP that comes out of it (RFC 5763, RFC 5764)."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from weakref import WeakValueDictionary

from .aiortc_adapter.dtls import PHONE_CIPHERS, CallCertificate, DtlsSession
from .errors import MediaError
from .jobs import Job
from .phone_leg import PhoneLeg
from .protocol.dtls import Association
from .protocol.phone_side import PhoneMedia
from .sealing import Opener, Sealer
from .sockets import Address

CONNECT_SECONDS = 10.0
"""From the moment when a phone in an answered call has to set its encryption up, to keys: it is on our network."""

GOODBYE_SECONDS = 3.0
"""Between the phone's close_notify and the end of the call: its BYE, or a new description, should come first."""

MAX_QUEUED = 64
"""DTLS datagrams of one port that wait to be read."""

NOT_SET_UP = "The phone did not set up the encryption that it had agreed to (DTLS-SRTP)"


class DtlsCall:
    """What the associations with the phones of one side of a call share.

    `start` begins a task of the call; what it raises ends the call. From `expected` on a phone must set up what it has
    agreed to: the call is answered. The certificate, which is for this call alone, is made when it is needed first.
    """

    def __init__(self, start: Callable[[Job], None]) -> None:
        self.start = start
        self.expected = asyncio.Event()
        self.certificate = cache(CallCertificate.generate)


class DtlsPort:
    """The DTLS datagrams of one port of a leg, to and from where the phone's description says.

    Where that is no address of the phone's (a router is between): from where the first one comes.
    """

    def __init__(self, phone: PhoneLeg, *, by_rtcp: bool) -> None:
        self.heard = False
        self.begun = asyncio.Event()
        self._phone = phone
        self._by_rtcp = by_rtcp
        self._first: Address | None = None
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(MAX_QUEUED)

    @property
    def heard_media(self) -> bool:
        """Whether good SRTP has come."""
        return self._phone.is_latched

    def received(self, data: bytes, source: Address) -> None:
        """Take a datagram from an allowed host."""
        remote = self._remote or source
        if source[:2] != remote[:2]:
            self._phone.drop("phone_foreign_source")
        elif self._queue.full():
            self._phone.drop("phone_dtls_flood")
        else:
            self._first = remote
            self.begun.set()
            self._queue.put_nowait(data)

    async def recv(self) -> bytes:
        """Return the next datagram."""
        return await self._queue.get()

    async def send(self, data: bytes) -> None:
        """Send one; raise `ConnectionError` when the ports are closed."""
        if self._remote is None:
            self._phone.drop("phone_address_unknown")
        else:
            self._phone.send_dtls(data, self._remote, by_rtcp=self._by_rtcp)

    @property
    def _remote(self) -> Address | None:
        return self._phone.described()[self._by_rtcp] or self._first


@dataclass(frozen=True)
class OwnEnd:
    """What our description says of an association: it stays with that, in whatever call."""

    certificate: CallCertificate
    tls_id: str = field(default_factory=lambda: secrets.token_hex(16))


Srtp = tuple[Sealer, Opener]
Place = tuple[bytes, str, str | None, int]


@dataclass(eq=False)
class Keyed:
    """An association that has keys, and how many calls use them."""

    association: Association
    own: OwnEnd
    srtp: Srtp
    srtcp: Srtp | None = None
    calls: int = 1


KEYED: WeakValueDictionary[Place, Keyed] = WeakValueDictionary()
"""By what the phone says: certificate, tls-id, address and port; as long as a call uses it.

A phone that goes from one call into another (a transfer) keeps its association, as its description stays the same:
some take no other in one dialog. That our port is another does not end it (RFC 8842 section 4.2).
"""


def keyed_with(side: PhoneMedia | None) -> Keyed | None:
    """Return the association in use with a phone that describes a section so, in whatever call."""
    return KEYED.get(_place(side)) if side is not None and side.dtls is not None else None


def _place(side: PhoneMedia) -> Place:
    assert side.dtls is not None
    return side.dtls.fingerprint, side.dtls.tls_id, side.host, side.port


class PhoneAssociation:
    """The association while a section uses it: two where RTCP has a port of its own (RFC 5764 section 4.1).

    With keys that the phone has `brought` from another call those are used, until it shakes hands here as well.
    """

    def __init__(
        self,
        phone: PhoneLeg,
        call: DtlsCall,
        side: PhoneMedia,
        association: Association,
        own: OwnEnd,
        brought: Keyed | None,
    ) -> None:
        self.association = association
        self.own = own
        self.has_keys = asyncio.Event()
        self._rtp = DtlsPort(phone, by_rtcp=False)
        self._rtcp = DtlsPort(phone, by_rtcp=True)
        self._phone = phone
        self._call = call
        self._side = side
        self._brought = brought
        self._keyed: Keyed | None = None
        self._srtcp: Srtp | None = None
        self._ended = asyncio.Event()

    def begin(self) -> None:
        """Let nothing pass but under keys of this association."""
        self._phone.shut()
        self._phone.dtls_sinks = self._rtp.received, self._rtcp.received
        if self._brought is not None:
            self._brought.calls += 1
            self._use(self._brought)
        self._call.start(self._run)

    def describe(self, side: PhoneMedia) -> None:
        """The phone describes it so from now on."""
        self._side = side
        if self._keyed is not None:
            KEYED[_place(side)] = self._keyed

    def end(self) -> None:
        """Use it no more."""
        self._ended.set()
        self._phone.dtls_sinks = None

    async def _run(self) -> None:
        """Hold it until it ends; raise `MediaError`, perhaps in a group, when it fails."""
        try:
            async with asyncio.TaskGroup() as group:
                jobs = [group.create_task(self._carry_rtp())]
                if not self._phone.mux:
                    jobs.append(group.create_task(self._carry_rtcp()))
                await self._ended.wait()
                for job in jobs:
                    job.cancel()
        finally:
            if self._keyed is not None:
                self._keyed.calls -= 1
                self._keyed = None

    async def _carry_rtp(self) -> None:
        session = await self._session(self._rtp)
        try:
            async with asyncio.TaskGroup() as group:
                late = group.create_task(self._give_up())
                await session.handshake()
                late.cancel()
            self._use(Keyed(self.association, self.own, self._srtp(session), self._srtcp))
            await session.repeat_last_flight()
            await session.ended()
        finally:
            await session.aclose(quietly=self._is_shared)
        await asyncio.sleep(GOODBYE_SECONDS)
        raise MediaError(480, "The phone closed its encrypted connection")

    async def _carry_rtcp(self) -> None:
        """Encrypt RTCP if the phone does: without it only reports are missing."""
        session = await self._session(self._rtcp)
        try:
            await session.handshake()
            self._srtcp = self._srtp(session)
            if self._keyed is not None:
                self._keyed.srtcp = self._srtcp
                self._secure(self._keyed)
            await session.repeat_last_flight()
            await session.ended()
        except* MediaError:
            self._phone.drop("phone_rtcp_without_keys")
        finally:
            await session.aclose(quietly=self._is_shared)

    @property
    def _is_shared(self) -> bool:
        """Whether another call goes on with the keys: the phone must not be told that they end."""
        return self._keyed is not None and self._keyed.calls > 1

    async def _give_up(self) -> None:
        await self._call.expected.wait()
        await asyncio.sleep(CONNECT_SECONDS)
        if self._brought is None:
            raise MediaError(480, NOT_SET_UP)

    async def _session(self, port: DtlsPort) -> DtlsSession:
        """Return what shakes hands; with keys that were brought only if the phone begins."""
        if self._brought is not None:
            await port.begun.wait()
        return DtlsSession(
            port,
            self.own.certificate,
            is_server=self.association.is_server,
            peer_fingerprint=self.association.theirs.fingerprint,
            on_data=lambda _data: self._phone.drop("phone_dtls_data"),
            ciphers=PHONE_CIPHERS,
            peer="The phone",
        )

    def _srtp(self, session: DtlsSession) -> Srtp:
        outbound, inbound = session.srtp()
        return Sealer(outbound, self._phone.drop), Opener(inbound, self._phone.drop)

    def _use(self, keyed: Keyed) -> None:
        if self._keyed is not None:
            self._keyed.calls -= 1
        self._keyed = keyed
        self.describe(self._side)
        self._secure(keyed)
        self.has_keys.set()

    def _secure(self, keyed: Keyed) -> None:
        """Let pass what has keys. RTCP names the SSRCs under which RTP goes out."""
        if self._ended.is_set():
            return
        for sealer, opener in (keyed.srtp, *((keyed.srtcp,) if keyed.srtcp else ())):
            sealer.drop = opener.drop = self._phone.drop
            sealer.remapped = keyed.srtp[0].remapped
        self._phone.secure(keyed.srtp)
        if not self._phone.mux:
            self._phone.secure_rtcp(keyed.srtcp)
