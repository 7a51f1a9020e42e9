"""SRTP from many senders at once: no keystream is used twice, and a sender may begin anew."""

import secrets
from collections.abc import Callable

from .aiortc_adapter.srtp import REPLAYED, TOO_OLD, Srtp
from .protocol.rtp import is_rtcp, rtcp_with_sender, rtcp_with_subject, with_ssrc

MAX_STREAMS = 64
"""SSRCs in each direction: libsrtp keeps state for each, and forgetting one could reuse its keystream."""

REPLAYS_BEFORE_REMAP = 3
"""So many refused packets in a row are a phone that has started over, not one that repeats itself."""


class Sealer:
    """Encrypts for one receiver. `drop` counts what is not passed on; `replays` is how many of late were refused.

    Who restarts its sequence numbers under one SSRC (phones do, after hold) goes on under a fresh one: under the
    old one all would be lost, and repeating its numbers would use its keystream twice. `remapped` has them.
    """

    __slots__ = ("_srtp", "_streams", "drop", "remapped", "replays")

    def __init__(self, srtp: Srtp, drop: Callable[[str], None]) -> None:
        self.remapped: dict[bytes, bytes] = {}
        self.replays = 0
        self._srtp = srtp
        self.drop = drop
        self._streams: set[bytes] = set()

    def seal(self, packet: bytes) -> bytes | None:
        """Return an RTP or RTCP packet encrypted; None when it may not be sent."""
        rtcp = is_rtcp(packet)
        ssrc = packet[4:8] if rtcp else packet[8:12]
        if not self._may_stream(ssrc):
            return None
        own = self.remapped.get(ssrc)
        if own is not None:
            packet = rtcp_with_sender(packet, ssrc, own) if rtcp else with_ssrc(packet, own)
        sealed = self._srtp.process(packet)
        if sealed is None and not rtcp:
            sealed = self._start_over(packet, ssrc)
        if sealed is not None:
            self.replays = 0
        return sealed

    def restored(self, rtcp: bytes) -> bytes:
        """Return the receiver's RTCP with the SSRCs that its sender knows."""
        for senders, own in self.remapped.items():
            rtcp = rtcp_with_subject(rtcp, own, senders)
        return rtcp

    def _may_stream(self, ssrc: bytes) -> bool:
        if ssrc in self._streams:
            return True
        if len(self._streams) >= MAX_STREAMS:
            self.drop("too_many_streams")
            return False
        self._streams.add(ssrc)
        return True

    def _start_over(self, packet: bytes, ssrc: bytes) -> bytes | None:
        status = self._srtp.status
        self.replays += status == REPLAYED
        if status == TOO_OLD or self.replays >= REPLAYS_BEFORE_REMAP:
            fresh = secrets.token_bytes(4)
            if self._may_stream(fresh):
                self.remapped[ssrc] = fresh
                self.drop("ssrc_remapped")
                return self._srtp.process(with_ssrc(packet, fresh))
            return None
        self.drop("repeated_by_phone" if status == REPLAYED else "not_encryptable")
        return None


class Opener:
    """Decrypts what one sender says; what is forged or repeated is dropped, and counted by `drop`."""

    __slots__ = ("_srtp", "_streams", "drop")

    def __init__(self, srtp: Srtp, drop: Callable[[str], None]) -> None:
        self._srtp = srtp
        self.drop = drop
        self._streams: set[bytes] = set()

    def open(self, packet: bytes) -> bytes | None:
        """Return the RTP or RTCP packet in an SRTP or SRTCP packet."""
        ssrc = packet[4:8] if is_rtcp(packet) else packet[8:12]
        if ssrc not in self._streams and len(self._streams) >= MAX_STREAMS:
            self.drop("too_many_streams")
            return None
        opened = self._srtp.process(packet)
        if opened is None:
            self.drop("phone_repeated" if self._srtp.status in (REPLAYED, TOO_OLD) else "phone_forged")
        else:
            self._streams.add(ssrc)
        return opened
