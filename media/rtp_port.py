"""A phone's end of one RTP section, for the parties in the node: one UDP port, own SSRC, own numbers."""

import asyncio
import secrets
import struct
from collections.abc import Callable
from typing import Any, cast

from .protocol.phone_side import PhoneMedia
from .protocol.rtp import RTP_HEADER_BYTES, is_passable, is_rtcp

Received = Callable[["RtpPort", bytes], None]


class RtpPort(asyncio.DatagramProtocol):
    """Sends RTP to where the SDP said; each RTP packet from there goes to `received`. RTCP is ignored."""

    def __init__(self, received: Received) -> None:
        self.packets_sent = 0
        self.packets_received = 0
        self._received = received
        self._remote: tuple[str, int] | None = None
        self._ssrc = secrets.token_bytes(4)
        self._number = secrets.randbelow(1 << 15)
        self._closed = asyncio.get_running_loop().create_future()
        self._transport: asyncio.DatagramTransport

    @classmethod
    async def open(cls, host: str, received: Received) -> "RtpPort":
        """Bind a free port on `host`."""
        loop = asyncio.get_running_loop()
        _, port = await loop.create_datagram_endpoint(lambda: cls(received), local_addr=(host, 0))
        return port

    @property
    def port(self) -> int:
        """The port that RTP is taken on."""
        return int(self._transport.get_extra_info("sockname")[1])

    def aim(self, media: PhoneMedia) -> None:
        """Send where the other side's description says."""
        self._remote = (media.host, media.port) if media.host else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._closed.set_result(None)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if addr[:2] == self._remote and is_passable(data) and not is_rtcp(data):
            self.packets_received += 1
            self._received(self, data)

    def send(self, second_byte: int, timestamp: int, rest: bytes, *, first_byte: int = 0x80) -> None:
        """Send one packet: marker and payload type, timestamp, then all that follows the fixed header."""
        if self._remote is None:
            return
        self._number = (self._number + 1) & 0xFFFF
        header = struct.pack("!BBHI", first_byte, second_byte, self._number, timestamp & 0xFFFFFFFF)
        self._transport.sendto(header + self._ssrc + rest, self._remote)
        self.packets_sent += 1

    def send_back(self, packet: bytes) -> None:
        """Send a received packet back, under our own SSRC and numbers."""
        timestamp = int.from_bytes(packet[4:8])
        self.send(packet[1], timestamp, packet[RTP_HEADER_BYTES:], first_byte=packet[0])

    async def aclose(self) -> None:
        """Close the port."""
        self._transport.close()
        await self._closed
