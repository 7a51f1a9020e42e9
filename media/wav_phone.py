"""A phone without a person: plays a WAV file or silence, records what it hears. G.711, 20 ms packets."""

import asyncio
import secrets
from pathlib import Path

from .errors import MediaRefused
from .protocol import g711, softphone_side
from .protocol.phone_side import PhoneMedia, phone_media
from .protocol.recording import Recording
from .protocol.rtp import RTP_HEADER_BYTES
from .protocol.sdp import SessionDescription
from .rtp_port import RtpPort
from .wav import read_wav, write_wav

LOOPBACK = "127.0.0.1"
PACKET_SECONDS = 0.02
PACKET_SAMPLES = 160
MARKER = 0x80
_NAMES = {0: "PCMU", 8: "PCMA"}


class WavPhone:
    """Plays and records, both optional, each at most `max_seconds`. `record` is written by `aclose()`.

    `play` is a file, or the sound itself: 8 kHz signed 16-bit samples.

    `heard` is set by the first packet that arrives, `played` once the file has been sent whole. Packets leave
    on a schedule fixed by the first one, so that a late wake-up delays one packet and shifts none.
    """

    def __init__(
        self,
        play: Path | bytes | None = None,
        record: Path | None = None,
        *,
        host: str = LOOPBACK,
        max_seconds: float = 600.0,
    ) -> None:
        self.heard = asyncio.Event()
        self.played = asyncio.Event()
        self._play = play
        self._record = record
        self._host = host
        self._max_seconds = max_seconds
        self._port: RtpPort | None = None
        self._version = 0
        self._kind = 0
        self._voice: list[bytes] = []
        self._sent = 0
        self._first_timestamp = secrets.randbits(32)
        self._first_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._recording = Recording(int(max_seconds * g711.RATE) if record else 0)

    @property
    def packets_sent(self) -> int:
        """RTP packets sent."""
        return self._port.packets_sent if self._port else 0

    @property
    def packets_received(self) -> int:
        """RTP packets received."""
        return self._port.packets_received if self._port else 0

    async def offer(self) -> bytes:
        """Return an offer of G.711 audio."""
        self._version += 1
        return bytes(softphone_side.offer("wav", self._host, (await self._open()).port, self._version))

    async def answer(self, offer: bytes) -> bytes:
        """Take the first audio section that has G.711; raise `MediaRefused` when there is none."""
        offered = SessionDescription.parse(offer)
        index, kind, media = _first_g711(offered)
        self._version += 1
        port = await self._open()
        await self._begin(port, media, kind)
        description = softphone_side.answer(
            "wav", self._host, self._version, offered, {index: port.port}, [str(kind)]
        )
        return bytes(description)

    async def answered(self, answer: bytes) -> None:
        """Take the answer to our offer, and begin to play."""
        _, kind, media = _first_g711(SessionDescription.parse(answer))
        await self._begin(await self._open(), media, kind)

    async def _open(self) -> RtpPort:
        if self._port is None:
            self._port = await RtpPort.open(self._host, self._take)
        return self._port

    async def _begin(self, port: RtpPort, media: PhoneMedia, kind: int) -> None:
        """Aim at the other side; the first time, begin to send."""
        port.aim(media)
        if self._timer is not None:
            return
        self._kind = kind
        if self._play is not None:
            samples = await asyncio.to_thread(self._sound, self._play)
            self._voice = _packets(g711.encode(_NAMES[kind], samples), g711.SILENCE[_NAMES[kind]])
        loop = asyncio.get_running_loop()
        self._first_at = loop.time()
        self._timer = loop.call_at(self._first_at, self._send_next)

    def _sound(self, play: Path | bytes) -> bytes:
        return play if isinstance(play, bytes) else read_wav(play, self._max_seconds)

    def _send_next(self) -> None:
        assert self._port is not None
        silence = bytes((g711.SILENCE[_NAMES[self._kind]],)) * PACKET_SAMPLES
        payload = self._voice[self._sent] if self._sent < len(self._voice) else silence
        marker = MARKER if self._sent == 0 else 0
        self._port.send(self._kind | marker, self._first_timestamp + self._sent * PACKET_SAMPLES, payload)
        self._sent += 1
        if self._sent >= len(self._voice):
            self.played.set()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(self._first_at + self._sent * PACKET_SECONDS, self._send_next)

    def _take(self, _port: RtpPort, packet: bytes) -> None:
        self.heard.set()
        name = _NAMES.get(packet[1] & 0x7F)
        if name is not None and packet[0] & 0x3F == 0:
            samples = g711.decode(name, packet[RTP_HEADER_BYTES:]) if self._record else b""
            self._recording.add(packet[8:12], int.from_bytes(packet[4:8]), samples)

    async def aclose(self) -> None:
        """Stop, close the port, write the recording."""
        if self._timer is not None:
            self._timer.cancel()
        if self._port is not None:
            await self._port.aclose()
        record, self._record = self._record, None
        if record is not None:
            await asyncio.to_thread(write_wav, record, self._recording.samples())


def _first_g711(description: SessionDescription) -> tuple[int, int, PhoneMedia]:
    """Return (index, payload type, where to send) of the first audio section that has PCMU or PCMA."""
    sides = phone_media(description)
    for index, (section, side) in enumerate(zip(description.media, sides, strict=True)):
        if side is not None and section.media == "audio":
            for kind in section.formats.split(" "):
                if kind in ("0", "8"):
                    return index, int(kind), side
    raise MediaRefused("This party speaks G.711 only (PCMU or PCMA)")


def _packets(voice: bytes, silence: int) -> list[bytes]:
    starts = range(0, len(voice), PACKET_SAMPLES)
    return [voice[at : at + PACKET_SAMPLES].ljust(PACKET_SAMPLES, bytes((silence,))) for at in starts]
