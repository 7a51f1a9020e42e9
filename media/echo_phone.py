"""The party behind echo@mesh: it answers with whatever codec the caller has and sends each packet back."""

from .errors import MediaRefused
from .protocol import softphone_side
from .protocol.phone_side import phone_media
from .protocol.sdp import SessionDescription
from .rtp_port import RtpPort

LOOPBACK = "127.0.0.1"


class EchoPhone:
    """A phone in the node that repeats what it hears, payload untouched, under its own SSRC."""

    def __init__(self, host: str = LOOPBACK) -> None:
        self._host = host
        self._ports: dict[int, RtpPort] = {}
        self._version = 0

    @property
    def packets_sent(self) -> int:
        """RTP packets sent, over all sections."""
        return sum(port.packets_sent for port in self._ports.values())

    @property
    def packets_received(self) -> int:
        """RTP packets received, over all sections."""
        return sum(port.packets_received for port in self._ports.values())

    async def offer(self) -> bytes:
        """Return an offer of G.711 audio."""
        self._version += 1
        return bytes(softphone_side.offer("echo", self._host, (await self._port(0)).port, self._version))

    async def answer(self, offer: bytes) -> bytes:
        """Take every RTP section of an offer or re-offer; raise `MediaRefused` when there is none."""
        offered = SessionDescription.parse(offer)
        self._version += 1
        ports = {}
        for index, media in enumerate(phone_media(offered)):
            if media is not None:
                port = await self._port(index)
                port.aim(media)
                ports[index] = port.port
        return bytes(softphone_side.answer("echo", self._host, self._version, offered, ports, ()))

    async def answered(self, answer: bytes) -> None:
        """Take the answer to our offer."""
        media = phone_media(SessionDescription.parse(answer))[0]
        if media is None:
            raise MediaRefused("The other side takes no sound")
        (await self._port(0)).aim(media)

    async def _port(self, index: int) -> RtpPort:
        if index not in self._ports:
            self._ports[index] = await RtpPort.open(self._host, RtpPort.send_back)
        return self._ports[index]

    async def aclose(self) -> None:
        """Close the ports."""
        for port in self._ports.values():
            await port.aclose()
