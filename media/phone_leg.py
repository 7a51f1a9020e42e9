"""The RTP of one media section between a phone and its node: symmetric, from known sources only, plain or SRTP."""

import asyncio
from collections.abc import Callable
from typing import cast

from .errors import MediaError
from .protocol.phone_side import PhoneMedia
from .protocol.rtp import MAX_PACKET_BYTES, RTP_HEADER_BYTES, is_dtls, is_passable, is_rtcp
from .protocol.zrtp import is_zrtp
from .sealing import Inward, Outward
from .sockets import LOOP_SOCKETS, Address, Sockets

RELATCH_SECONDS = 2.0
"""How long the latched source must be silent before another port of an allowed address may take its place."""

_PORT_ATTEMPTS = 64
Path = tuple[Callable[[bytes, Address], None], Address]
DtlsSink = Callable[[bytes, Address], None]


class _Socket(asyncio.BaseProtocol):
    """One UDP port. What arrives goes to `datagram_received`; ICMP errors are the phone not listening yet."""

    __slots__ = ("closed", "datagram_received", "transport")
    transport: asyncio.DatagramTransport

    def __init__(self, received: Callable[[bytes, Address], None]) -> None:
        self.datagram_received = received
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def error_received(self, exc: OSError) -> None:
        """Let it be: the phone may listen in a moment."""

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closed.set_result(None)
        del self.datagram_received  # the leg holds its sockets, and no longer they it

    async def aclose(self) -> None:
        self.transport.close()
        await self.closed


class PhoneLeg:
    """RTP on an even port, RTCP on the next odd one or on the same.

    Packets are taken only from the addresses in `allowed`. RTP goes where the phone's SDP says, if that is
    one, until the first packet shows where the phone really sends from (symmetric RTP, RFC 4961). Every
    packet that is taken goes to `sink`, in the same call, or to `zrtp_sink` if it is ZRTP. `path` is how and
    where RTP goes out, once that is known.
    Beside SRTP no ZRTP passes: the phone has its keys already.
    DTLS is told from RTP by its first byte (RFC 7983), and goes to `dtls_sinks` while there are any: what came to the
    port of RTP to the first, to that of RTCP to the second.
    `changed` is called when that is no longer so, or the source; `look` before it matters when it was heard last.
    """

    def __init__(self, host: str, allowed: frozenset[str], sockets: Sockets = LOOP_SOCKETS) -> None:
        self.port = 0
        self.changed: Callable[[], object] = lambda: None
        self.look: Callable[[], object] = lambda: None
        self._open_socket = sockets.open
        self.sink: Callable[[bytes], None] | None = None
        self.zrtp_sink: Callable[[bytes], None] | None = None
        self.dtls_sinks: tuple[DtlsSink, DtlsSink] | None = None
        self.dropped: dict[str, int] = {}
        self.host = host
        self._allowed = allowed
        self.mux = False
        self._rtp_remote: Address | None = None
        self.path: Path | None = None
        self._rtcp_remote: Address | None = None
        self._latched: Address | None = None
        self._usual: Address | None = None
        self._srtp: tuple[Outward, Inward] | None = None
        self._srtcp: tuple[Outward, Inward] | None = None
        self.is_end_to_end = False
        self._is_shut = False
        self._last_heard = 0.0
        self._now = asyncio.get_running_loop().time
        self._sockets: list[_Socket] = []

    async def open(self) -> None:
        """Bind a pair of ports; raise `MediaError` when there is none."""
        for _ in range(_PORT_ATTEMPTS):
            first = await self._bind(0)
            port = first.transport.get_extra_info("sockname")[1] if first else 0
            second = await self._bind(port ^ 1) if first and port > 1 else None
            if first and second:
                self.port = port & ~1
                self._rtp, self._rtcp = (second, first) if port % 2 else (first, second)
                self._rtp.datagram_received = self._rtp_received
                self._rtcp.datagram_received = self._rtcp_received
                self._sockets = [first, second]
                return
            if first:
                await first.aclose()
        raise MediaError(503, "This node has no ports left for the phone's sound")

    async def _bind(self, port: int) -> _Socket | None:
        try:
            _, bound = await self._open_socket(lambda: _Socket(self._too_early), (self.host, port))
        except OSError:
            return None
        return bound

    def aim(self, media: PhoneMedia) -> None:
        """Send where the phone's latest description says; what was learnt from its packets is forgotten."""
        host = media.host if media.host in self._allowed else None
        self.mux = media.mux
        self.changed()
        self._send_rtp_to((host, media.port) if host else None)
        self._rtcp_remote = (host, media.rtcp_port) if host else None
        self._latched = self._usual = None

    def secure(self, srtp: tuple[Outward, Inward] | None, *, end_to_end: bool = False) -> None:
        """Encrypt what goes to the phone and decrypt what comes from it; None: plain RTP.

        `end_to_end`: what comes and goes is the phones' own SRTP, and the other legs of the call carry it so.
        """
        self.is_end_to_end = end_to_end
        self._change(srtp, is_shut=False)

    def secure_rtcp(self, srtcp: tuple[Outward, Inward] | None) -> None:
        """Beside encrypted RTP, take these for what goes and comes by the port of RTCP; None: nothing does."""
        self._srtcp = srtcp

    def shut(self) -> None:
        """Let nothing pass until `secure` says how it goes."""
        self._change(None, is_shut=True)

    def _change(self, srtp: tuple[Outward, Inward] | None, *, is_shut: bool) -> None:
        self.changed()
        self._srtp = self._srtcp = srtp
        self._is_shut = is_shut
        self._usual = None
        self._send_rtp_to(self._rtp_remote)

    @property
    def _is_plain(self) -> bool:
        """Tell whether packets go as they are, and so may take the short way."""
        return self._srtp is None and not self._is_shut

    @property
    def carrier(self) -> asyncio.DatagramTransport:
        """The socket that RTP goes in and out by."""
        return self._rtp.transport

    @property
    def usual_source(self) -> Address | None:
        """Where RTP comes from that is taken without a second look."""
        return self._usual

    def was_heard(self, at: float) -> None:
        """Note that the usual source was heard, by the loop's clock."""
        self._last_heard = max(self._last_heard, at)

    def _send_rtp_to(self, remote: Address | None) -> None:
        if remote != self._rtp_remote:
            self.changed()
        self._rtp_remote = remote
        is_usual = remote is not None and self._sockets and self._is_plain
        self.path = (self._rtp.transport.sendto, remote) if remote and is_usual else None

    def send(self, packet: bytes) -> None:
        """Send one RTP or RTCP packet to the phone; before its address is known, drop it."""
        remote, via, srtp = self._rtp_remote, self._rtp, self._srtp
        if 192 <= packet[1] <= 223 and not self.mux:
            remote, via, srtp = self._rtcp_remote, self._rtcp, self._srtcp
        if remote is None or not self._sockets:
            self.drop("phone_address_unknown")
        elif self._is_plain:
            via.transport.sendto(packet, remote)
        elif srtp is None:
            self.drop("phone_before_keys")
        elif is_zrtp(packet):
            self.drop("zrtp_beside_srtp")
        else:
            sealed = srtp[0].seal(packet)
            if sealed is not None:
                via.transport.sendto(sealed, remote)

    def described(self) -> tuple[Address | None, Address | None]:
        """Return where RTP and RTCP go."""
        return self._rtp_remote, self._rtp_remote if self.mux else self._rtcp_remote

    @property
    def is_latched(self) -> bool:
        """Whether the phone has been heard since its latest description."""
        return self._latched is not None

    def send_dtls(self, data: bytes, remote: Address, *, by_rtcp: bool) -> None:
        """Send a DTLS datagram by one of the two ports; raise `ConnectionError` when they are closed."""
        if not self._sockets:
            raise ConnectionError("the ports are closed")
        (self._rtcp if by_rtcp else self._rtp).transport.sendto(data, remote)

    def drop(self, cause: str) -> None:
        """Count a packet that is not passed on."""
        self.dropped[cause] = self.dropped.get(cause, 0) + 1

    def _too_early(self, _data: bytes, _source: Address) -> None:
        self.drop("phone_too_early")

    def _rtp_received(self, data: bytes, source: Address) -> None:
        """Take the usual packet without another call (each costs at this rate); look closer at all others."""
        sink = self.sink
        if (
            source == self._usual
            and RTP_HEADER_BYTES <= len(data) <= MAX_PACKET_BYTES
            and 127 < data[0] < 192
            and sink is not None
        ):
            self._last_heard = self._now()
            sink(data)
        else:
            self._other_received(data, source)

    def _dtls_received(self, data: bytes, source: Address, port: int) -> bool:
        """Pass on what is DTLS; tell whether it was."""
        if self.dtls_sinks is None or not data or not is_dtls(data[0]):
            return False
        if source[0] in self._allowed:
            self.dtls_sinks[port](data, source)
        else:
            self.drop("phone_foreign_source")
        return True

    def _other_received(self, data: bytes, source: Address) -> None:
        if self._dtls_received(data, source, 0):
            return
        sink = self.sink
        if is_zrtp(data):
            sink = self.zrtp_sink
        elif not is_passable(data):
            self.drop("phone_not_rtp")
            return
        if source[0] not in self._allowed:
            self.drop("phone_foreign_source")
            return
        packet = self._opened(data, source, self._srtp)
        if packet is not None and self._is_latched(source):
            if sink is not None:
                sink(packet)
            else:
                self.drop("phone_before_keys")

    def _opened(self, data: bytes, source: Address, srtp: tuple[Outward, Inward] | None) -> bytes | None:
        """Return what the phone said; None when that cannot be known, or was not said by it."""
        if self._is_plain:
            return data
        if srtp is None:
            self.drop("phone_before_keys")
            return None
        if is_zrtp(data):  # of itself it proves nothing, and would be taken for the phone
            self.drop("zrtp_beside_srtp")
            return None
        sealer, opener = srtp
        packet = opener.open(data, is_from_known=source == self._latched)
        return packet if packet is None or not is_rtcp(packet) else sealer.restored(packet)

    def _is_latched(self, source: Address) -> bool:
        """Tell whether that is the phone; the first source is, and another one after a silence."""
        self.look()
        now = self._now()
        if source != self._latched and self._latched and now - self._last_heard <= RELATCH_SECONDS:
            self.drop("phone_foreign_source")
            return False
        self._latched = source
        self._usual = source if self._is_plain else None
        self._send_rtp_to(source)
        self._last_heard = now
        return True

    def _rtcp_received(self, data: bytes, source: Address) -> None:
        if self._dtls_received(data, source, 1):
            return
        if not is_passable(data) or not is_rtcp(data):
            self.drop("phone_not_rtcp")
        elif source[0] not in self._allowed:
            self.drop("phone_foreign_source")
        elif (packet := self._opened(data, source, self._srtcp)) is not None:
            self._rtcp_remote = source
            if self.sink is not None:
                self.sink(packet)
            else:
                self.drop("phone_before_keys")

    async def aclose(self) -> None:
        """Close both ports."""
        self.changed()
        self.sink = self.zrtp_sink = self.dtls_sinks = self.path = None
        sockets, self._sockets = self._sockets, []
        for bound in sockets:
            await bound.aclose()
