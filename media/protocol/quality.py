"""What the sound of a call is like, from RTP headers and the RTCP reports that pass (RFC 3550, ITU-T G.107).

`Reception` reads the headers of what comes; `Reports` reads SR and RR of both phones; `mean_opinion_score` turns
loss and delay into the E-model's estimate. Nothing here changes a packet.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass

from .rtp import parts, subjects
from .sdp import MediaDescription

MAX_DROPOUT = 3_000
"""A jump that large, either way, is a sender that has started over (RFC 3550 appendix A.1)."""

MAX_REMEMBERED_REPORTS = 16
"""Sender reports of our phone that an answer may still come to: 80 s at the usual 5 s."""

_RTPMAP = re.compile(r"([0-9]{1,3}) [^/ ]+/([1-9][0-9]{3,5})(?:/.*)?")
_SENDER_REPORT = 200
_REPORT_KINDS = (200, 201)
_BLOCK_BYTES = 24

_BEST_RATING = 93.2
"""R of G.107 with all its default values and nothing lost (ITU-T G.107, table 3)."""

_LOSS_ROBUSTNESS = 25.1
"""Bpl of G.711 with concealment, random loss (ITU-T G.113 appendix I); its Ie is 0.

G.113 has no value on the same scale for G.722 and none for Opus: they are rated as G.711, so the estimate is about
the way and says nothing of the codec's own sound.
"""


def clock_rate(section: MediaDescription) -> int:
    """Return the clock rate in Hz of the section's first format; 8,000 for those that name none (RFC 3551)."""
    first = section.formats.split(" ")[0]
    for name, value in section.attributes():
        found = _RTPMAP.fullmatch(value) if name == "rtpmap" else None
        if found and found[1] == first:
            return int(found[2])
    return 8_000


@dataclass(slots=True)
class Reception:
    """Loss, reordering and jitter of the RTP of one section, in one direction.

    `clock_rate` is that of the timestamps in Hz. Another SSRC, or a jump over `MAX_DROPOUT`, begins a new count;
    what was counted before stays in the totals.
    """

    clock_rate: int = 8_000
    received: int = 0
    reordered: int = 0
    jitter: float = 0.0
    _ssrc: int = -1
    _first: int = 0
    _highest: int = 0
    _expected_before: int = 0
    _transit: float | None = None

    def receive(self, packet: bytes, now: float) -> None:
        """Count one whole RTP packet (12 bytes at least) that came at `now`, in seconds."""
        ssrc = int.from_bytes(packet[8:12])
        number = packet[2] << 8 | packet[3]
        step = (number - self._highest & 0xFFFF) if ssrc == self._ssrc else MAX_DROPOUT
        if 0 < step < MAX_DROPOUT:
            self._highest += step
        elif step > 0x10000 - MAX_DROPOUT:
            self.reordered += 1
        elif step:
            self._begin(ssrc, number)
        self.received += 1
        self._follow_jitter(int.from_bytes(packet[4:8]), now)

    def _begin(self, ssrc: int, number: int) -> None:
        self._expected_before = self.expected
        self._ssrc, self._first, self._highest = ssrc, number, number
        self._transit = None

    def _follow_jitter(self, timestamp: int, now: float) -> None:
        """RFC 3550 appendix A.8, in timestamp units; a timestamp that has wrapped around is no jitter."""
        transit = now * self.clock_rate - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < MAX_DROPOUT * self.clock_rate / 100:
                self.jitter += (difference - self.jitter) / 16
        self._transit = transit

    def standing(self) -> tuple[int, float, float | None]:
        """Return where counting stands, for whoever goes on with it: highest number, jitter, last transit time."""
        return self._highest, self.jitter, self._transit

    def follow(self, received: int, reordered: int, highest: int, jitter: float, transit: float) -> None:
        """Take over what was counted elsewhere since `standing`, of the same SSRC and without a new beginning."""
        self.received += received
        self.reordered += reordered
        self._highest, self.jitter, self._transit = highest, jitter, transit

    @property
    def expected(self) -> int:
        """Packets that were sent, as far as the numbers tell."""
        return self._expected_before + (self._highest - self._first + 1 if self._ssrc >= 0 else 0)

    @property
    def lost(self) -> int:
        """Packets that have not come; repeats can hide some, as in RFC 3550, but never make it negative."""
        return max(0, self.expected - self.received)

    @property
    def loss(self) -> float:
        """The part that was lost, 0 to 1."""
        return self.lost / self.expected if self.expected else 0.0

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in milliseconds (RFC 3550 section 6.4.1)."""
        return self.jitter / self.clock_rate * 1_000


class Reports:
    """What both phones' RTCP tells: the loss at the far phone, and the time there and back.

    `far_loss` is the part of our phone's RTP that the far phone lost between its last two reports, 0 to 1;
    `far_received` the highest extended sequence number that it has. `round_trip_ms` is from this node to the far
    phone and back. Each is None before a report tells it.
    """

    def __init__(self) -> None:
        self.far_loss: float | None = None
        self.far_received: int | None = None
        self.round_trip_ms: float | None = None
        self._sent: OrderedDict[int, float] = OrderedDict()

    def send(self, packet: bytes, now: float) -> None:
        """Note the sender reports in our phone's RTCP, which the far phone's answer will name (LSR)."""
        for start, end in parts(packet):
            if packet[start + 1] == _SENDER_REPORT and end - start >= 28:
                self._sent[int.from_bytes(packet[start + 10 : start + 14])] = now
                while len(self._sent) > MAX_REMEMBERED_REPORTS:
                    self._sent.popitem(last=False)

    def receive(self, packet: bytes, now: float) -> None:
        """Read the report blocks in the far phone's RTCP; the last of several counts."""
        for start, end in parts(packet):
            if packet[start + 1] in _REPORT_KINDS:
                for at in subjects(packet, start, end):
                    self._read(packet[at : at + _BLOCK_BYTES], now)

    def _read(self, block: bytes, now: float) -> None:
        self.far_loss = block[4] / 256
        self.far_received = int.from_bytes(block[8:12])
        sent = self._sent.get(int.from_bytes(block[16:20]))
        if sent is not None:
            elapsed = now - sent - int.from_bytes(block[20:24]) / 65_536
            self.round_trip_ms = max(0.0, elapsed * 1_000)


def mean_opinion_score(loss: float, delay_ms: float) -> float:
    """Return the E-model's estimate, 1 (bad) to 4.41 (G.711 at its best), of `loss` (0 to 1) and one-way delay.

    ITU-T G.107: Ie,eff for random loss (BurstR 1), and Annex B from R to MOS. The delay's share is the
    simplification of Cole and Rosenbluth, "Voice over IP performance monitoring" (2001), for calls without echo.
    """
    percent = min(max(loss, 0.0), 1.0) * 100
    impairment = 95 * percent / (percent + _LOSS_ROBUSTNESS)
    delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    rating = max(0.0, _BEST_RATING - impairment - delay)
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
