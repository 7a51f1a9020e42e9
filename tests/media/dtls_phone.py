"""A phone that keys SRTP by DTLS (RFC 5764), on its RTP port and, unless it multiplexes, on its RTCP port."""

import asyncio
from typing import Any

from media.aiortc_adapter.dtls import PHONE_CIPHERS, CallCertificate, DtlsSession
from media.aiortc_adapter.srtp import Srtp
from media.protocol.dtls import Dtls
from media.protocol.phone_side import dtls_of
from media.protocol.rtp import is_dtls, is_rtcp
from media.protocol.sdp import SessionDescription
from media.protocol.transport import Setup

from .call_pair import Phone, until


class _Wire:
    """The DTLS datagrams of one port."""

    def __init__(self, phone: "DtlsPhone", port: int) -> None:
        self.heard = False
        self.heard_media = False
        self.queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._phone = phone
        self._port = port

    async def recv(self) -> bytes:
        return await self.queue.get()

    async def send(self, data: bytes) -> None:
        (self._phone.send_rtcp if self._port else self._phone.send)(data)


class DtlsPhone(Phone):
    """Offers actpass and answers `role`. `connect` shakes hands; then it speaks and hears SRTP."""

    def __init__(
        self,
        *,
        mux: bool = True,
        role: Setup = "active",
        profile: str = "UDP/TLS/RTP/SAVPF",
        tls_id: str = "",
    ) -> None:
        super().__init__()
        self.mux = mux
        self.role = role
        self.profile = profile
        self.tls_id = tls_id
        self.certificate = CallCertificate.generate()
        self.shown: bytes | None = None
        self.sessions: list[DtlsSession] = []
        self.srtp: list[tuple[Srtp, Srtp]] = []
        self.node_dtls: Dtls | None = None
        self._wires = [_Wire(self, 0), _Wire(self, 1)]
        self._clear: tuple[asyncio.Queue[bytes], asyncio.Queue[bytes]] = (asyncio.Queue(), asyncio.Queue())
        self._sorting: list[asyncio.Task[None]] = []

    def description(self, setup: Setup, *, direction: str = "sendrecv", version: int = 1) -> bytes:
        own = Dtls(self.shown or self.certificate.fingerprint, setup, self.tls_id)
        lines = [*own.lines(), *(["a=rtcp-mux"] if self.mux else [])]
        plain = self.sdp(direction=direction, extra="".join(f"{line}\r\n" for line in lines), version=version)
        return plain.replace(b"RTP/AVP", self.profile.encode())

    def offer(self, *, direction: str = "sendrecv", version: int = 1) -> bytes:
        return self.description("actpass", direction=direction, version=version)

    def answer(self, sdp: bytes, *, direction: str = "sendrecv", version: int = 1) -> bytes:
        """Take an offer, and return our answer."""
        assert self.told(sdp).setup == "actpass"
        return self.description(self.role, direction=direction, version=version)

    def told(self, sdp: bytes) -> Dtls:
        """Take the node's description."""
        self.listen_to(sdp)
        description = SessionDescription.parse(sdp)
        self.node_dtls = dtls_of(description, description.media[0])
        assert self.node_dtls is not None
        assert b"crypto" not in sdp
        return self.node_dtls

    async def connect(self) -> None:
        """Shake hands, on each port that needs it."""
        assert self.node_dtls is not None
        is_server = self.node_dtls.setup == "active" or self.role == "passive"
        self._sorting = [asyncio.ensure_future(self._sort(port)) for port in (0, 1)]  # noqa: TID251 - closed below
        for wire in self._wires[: 1 if self.mux else 2]:
            session = DtlsSession(
                wire,
                self.certificate,
                is_server=is_server,
                peer_fingerprint=self.node_dtls.fingerprint,
                on_data=lambda _: None,
                ciphers=PHONE_CIPHERS,
            )
            self.sessions.append(session)
            async with asyncio.timeout(5):
                await session.handshake()
            self.srtp.append(session.srtp())

    async def _sort(self, port: int) -> None:
        queue = (self.heard, self.heard_rtcp)[port]
        while True:
            data = await queue.get()
            (self._wires[port].queue if is_dtls(data[0]) else self._clear[port]).put_nowait(data)

    def say(self, packet: bytes) -> None:
        """Send RTP or RTCP, encrypted, where it belongs."""
        port = int(is_rtcp(packet) and not self.mux)
        sealed = self.srtp[port][0].process(packet)
        assert sealed is not None
        (self.send_rtcp if port else self.send)(sealed)

    async def is_told(self, packet: bytes) -> None:
        """Wait until exactly that packet has come next, encrypted."""
        port = int(is_rtcp(packet) and not self.mux)
        async with asyncio.timeout(3):
            data = await self._clear[port].get()
        assert packet[12:] not in data
        assert self.srtp[port][1].process(data) == packet

    async def hang_up(self) -> None:
        """Close the associations, and what sorts datagrams."""
        for session in self.sessions:
            await session.aclose()
        self.sessions.clear()
        self.stop_sorting()
        await until(lambda: all(task.done() for task in self._sorting))

    def stop_sorting(self) -> None:
        """Let the datagrams lie that come from now on."""
        for task in self._sorting:
            task.cancel()


def keyed(leg: Any) -> bool:
    """Tell whether a leg of the node has keys."""
    return leg._srtp is not None
