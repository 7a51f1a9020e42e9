"""SRTP between a node and one of its phones, under keys that come by DTLS (RFC 5763, RFC 5764): the node ends it."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache

from .aiortc_adapter.dtls import PHONE_CIPHERS, CallCertificate, DtlsSession
from .errors import MediaError, MediaRefused
from .jobs import Job
from .phone_leg import PhoneLeg
from .protocol.dtls import Association, Dtls, agreed
from .protocol.phone_side import dtls_of, with_dtls
from .protocol.sdp import MediaDescription, SessionDescription
from .protocol.transport import Setup
from .protocol.transport_lines import PLAIN
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


class PhoneDtls:
    """One section's. It `insists` when a description of the phone without DTLS will be refused.

    As long as the phone describes the association in use, its keys stay. Another one (RFC 8842 section 4) begins with
    keys of its own, and until they are there nothing passes, either way.
    """

    def __init__(self, phone: PhoneLeg, call: DtlsCall) -> None:
        self.insists = False
        self.keyed = asyncio.Event()
        self._phone = phone
        self._call = call
        self._standing: Association | None = None
        self._next: Association | None = None
        self._replaced = asyncio.Event()
        self._is_offered = False
        self._is_settled = False
        self._profile = ""
        self._tls_id = _fresh_tls_id()

    @property
    def is_used(self) -> bool:
        """Whether this is how the phone encrypts."""
        return self._standing is not None

    @property
    def place(self) -> tuple[str, int]:
        """Our host and port in a description for the phone."""
        return self._phone.host, self._phone.port

    def offer(self) -> Dtls:
        """Return what we offer: the association in use, or a first one."""
        if not self._is_settled:
            self._phone.shut()
        self._is_offered = True
        return Dtls(self._call.certificate().fingerprint, "actpass", self._tls_id, self._profile)

    def answer(self) -> Dtls | None:
        """Return what we answer to a phone that has offered DTLS."""
        if self._standing is None:
            return None
        setup: Setup = "passive" if self._standing.is_server else "active"
        tls_id = self._tls_id if self._standing.theirs.tls_id else ""
        return Dtls(self._call.certificate().fingerprint, setup, tls_id, self._profile)

    def check(self, theirs: Dtls | None, *, is_answer: bool) -> None:
        """Raise `MediaRefused` when the phone may not say this of DTLS now."""
        if theirs is None and self.insists:
            raise MediaRefused("The phone has stopped to encrypt in the middle of the call")
        if theirs is None or not is_answer or self.is_used:
            return
        if not self._is_offered:
            raise MediaRefused("The phone has chosen an encryption that it was not offered")
        if theirs.setup == "actpass":
            raise MediaRefused("The phone does not say which side of its encryption it takes (a=setup)")

    def take_offer(self, theirs: Dtls | None) -> None:
        """Take what the phone offers; it counts from its answer on (`settle`). Refused, it changes nothing."""
        self._next = None
        if theirs is not None:
            self.insists = True
            self._profile = theirs.profile
            self._next = agreed(theirs, self._standing)
            if not self._is_settled:
                self._phone.shut()
        self._is_settled = True

    def settle(self) -> None:
        """The phone's latest offer is being answered."""
        if self._next is not None:
            if self._standing is not None and self._next is not self._standing:
                self._tls_id = _fresh_tls_id()
            self._use(self._next)

    def take_answer(self, theirs: Dtls) -> None:
        """Take the phone's answer to our offer."""
        self._profile = theirs.profile
        self._use(agreed(theirs, self._standing))

    def end(self) -> None:
        """The phone that has answered does without DTLS."""
        self._is_settled = True
        if self.is_used:
            self.stop()
            self._phone.secure(None)

    def stop(self) -> None:
        """The section is off: what may come later is another association."""
        self._next = None
        if self.is_used:
            self.close()
            self._phone.shut()
            self._tls_id = _fresh_tls_id()

    def close(self) -> None:
        """End it."""
        self._standing = None
        self._replaced.set()
        self._phone.dtls_sinks = None

    def _use(self, association: Association) -> None:
        self._is_settled, self._next = True, None
        if association is self._standing:
            return
        self._replaced.set()
        self._standing, self._replaced = association, asyncio.Event()
        self.keyed.clear()
        self._phone.shut()
        talk = _Talk(self._phone, self._call, association, self._replaced, self.keyed)
        self._phone.dtls_sinks = talk.rtp.received, talk.rtcp.received
        self._call.start(talk.run)


class _Talk:
    """The association while it is in use: two where RTCP has a port of its own (RFC 5764 section 4.1)."""

    def __init__(
        self,
        phone: PhoneLeg,
        call: DtlsCall,
        association: Association,
        replaced: asyncio.Event,
        keyed: asyncio.Event,
    ) -> None:
        self.rtp = DtlsPort(phone, by_rtcp=False)
        self.rtcp = DtlsPort(phone, by_rtcp=True)
        self._phone = phone
        self._call = call
        self._association = association
        self._replaced = replaced
        self._keyed = keyed
        self._srtcp: tuple[Sealer, Opener] | None = None
        self._srtp: tuple[Sealer, Opener] | None = None

    async def run(self) -> None:
        """Hold it until it is replaced; raise `MediaError`, perhaps in a group, when it fails or ends."""
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(self._carry_rtp())]
            if not self._phone.mux:
                jobs.append(group.create_task(self._carry_rtcp()))
            await self._replaced.wait()
            for job in jobs:
                job.cancel()

    async def _carry_rtp(self) -> None:
        session = self._session(self.rtp)
        try:
            async with asyncio.TaskGroup() as group:
                late = group.create_task(self._give_up())
                await session.handshake()
                late.cancel()
            self._srtp = self._keys(session)
            self._secure()
            self._keyed.set()
            await session.repeat_last_flight()
            await session.ended()
        finally:
            await session.aclose()
        await asyncio.sleep(GOODBYE_SECONDS)
        raise MediaError(480, "The phone closed its encrypted connection")

    async def _carry_rtcp(self) -> None:
        """Encrypt RTCP if the phone does: without it only reports are missing."""
        session = self._session(self.rtcp)
        try:
            await session.handshake()
            self._srtcp = self._keys(session)
            self._secure()
            await session.repeat_last_flight()
            await session.ended()
        except* MediaError:
            self._phone.drop("phone_rtcp_without_keys")
        finally:
            await session.aclose()

    async def _give_up(self) -> None:
        await self._call.expected.wait()
        await asyncio.sleep(CONNECT_SECONDS)
        raise MediaError(480, NOT_SET_UP)

    def _session(self, port: DtlsPort) -> DtlsSession:
        return DtlsSession(
            port,
            self._call.certificate(),
            is_server=self._association.is_server,
            peer_fingerprint=self._association.theirs.fingerprint,
            on_data=lambda _data: self._phone.drop("phone_dtls_data"),
            ciphers=PHONE_CIPHERS,
            peer="The phone",
        )

    def _keys(self, session: DtlsSession) -> tuple[Sealer, Opener]:
        outbound, inbound = session.srtp()
        return Sealer(outbound, self._phone.drop), Opener(inbound, self._phone.drop)

    def _secure(self) -> None:
        """Let pass what has keys. RTCP names the SSRCs under which RTP goes out."""
        if self._replaced.is_set() or self._srtp is None:
            return
        self._phone.secure(self._srtp)
        if self._phone.mux:
            return
        if self._srtcp is not None:
            self._srtcp[0].remapped = self._srtp[0].remapped
        self._phone.secure_rtcp(self._srtcp)


def with_associations(sdp: bytes, ends: Iterable[PhoneDtls]) -> bytes:
    """Turn an offer for a phone into one of DTLS-SRTP alone. RTCP shares the port if the phone lets it."""
    offer = SessionDescription.parse(sdp)
    host = (offer.connection() or "").rpartition(" ")[2]
    at = {end.place: end for end in ends}

    def turned(section: MediaDescription) -> MediaDescription:
        end = at.get((host, section.port))
        if end is None or not section.port or section.profile not in PLAIN:
            return section
        muxed = replace(section, lines=(*section.lines, "a=rtcp-mux"))
        return with_dtls(muxed, end.offer())

    return bytes(offer.with_media(tuple(map(turned, offer.media))))


def speaks_dtls(sdp: bytes) -> bool:
    """Tell whether a phone's description has a section of DTLS."""
    description = SessionDescription.parse(sdp)
    return any(section.port and dtls_of(description, section) for section in description.media)


def _fresh_tls_id() -> str:
    return secrets.token_hex(16)
