"""SRTP from many senders at once: no keystream is used twice, and a sender may begin anew.

And what takes its place where SRTP goes through the node as it is, from one phone to the other.
"""

import secrets
from collections.abc import Callable
from typing import Protocol

from .aiortc_adapter.srtp import REPLAYED, TOO_OLD, Srtp
from .protocol.rtp import is_rtcp, rtcp_with_sender, rtcp_with_subject, with_ssrc

MAX_STREAMS = 64
"""SSRCs in each direction: libsrtp keeps state for each, and forgetting one could reuse its keystream."""

REPLAYS_BEFORE_REMAP = 3
"""So many refused packets in a row are a phone that has started over, not one that repeats itself."""


FOLLOWED = 4_096
"""Of so many packets that pass unopened one is looked at: libsrtp finds its place again within 32,768."""


class Outward(Protocol):
    """What becomes of packets on their way to the phone."""

    def seal(self, packet: bytes) -> bytes | None:
        """Return what the phone is sent of an RTP or RTCP packet; None: nothing."""
        ...

    def restored(self, rtcp: bytes) -> bytes:
        """Return the phone's RTCP with the SSRCs that its sender knows."""
        ...


class Inward(Protocol):
    """What becomes of packets from the phone."""

    def open(self, packet: bytes, *, is_from_known: bool = False) -> bytes | None:
        """Return what goes on of a packet; None: nothing. `is_from_known`: it comes from where good ones came."""
        ...


class Sealer:
    """Encrypts for one receiver. `drop` counts what is not passed on; `replays` is how many of late were refused.

    Who restarts its sequence numbers under one SSRC (phones do, after hold) goes on under a fresh one: under the
    old one all would be lost, and repeating its numbers would use its keystream twice. `remapped` has them.
    Under a key that is `shared` with another sender, the far phone, everybody goes out under a fresh SSRC.
    """

    __slots__ = ("_is_shared", "_srtp", "_streams", "drop", "remapped", "replays")

    def __init__(self, srtp: Srtp, drop: Callable[[str], None], *, shared: bool = False) -> None:
        self._is_shared = shared
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
        if own is None and self._is_shared:
            own = self._fresh(ssrc)
            if own is None:
                return None
        if own is not None:
            packet = rtcp_with_sender(packet, ssrc, own) if rtcp else with_ssrc(packet, own)
        sealed = self._srtp.process(packet)
        if sealed is None and not rtcp:
            sealed = self._start_over(packet, ssrc)
        if sealed is not None:
            self.replays = 0
        return sealed

    def seal_as_it_is(self, packet: bytes) -> bytes | None:
        """Return a packet encrypted that the phone has encrypted before: what it proves includes its SSRC.

        Who restarts its numbers there uses its own keystream twice, and is not heard.
        """
        if not self._may_stream(packet[4:8] if is_rtcp(packet) else packet[8:12]):
            return None
        sealed = self._srtp.process(packet)
        if sealed is None:
            self._drop_unsealed()
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
            fresh = self._fresh(ssrc)
            return None if fresh is None else self._srtp.process(with_ssrc(packet, fresh))
        self._drop_unsealed()
        return None

    def _fresh(self, ssrc: bytes) -> bytes | None:
        fresh = secrets.token_bytes(4)
        if not self._may_stream(fresh):
            return None
        self.remapped[ssrc] = fresh
        self.drop("ssrc_remapped")
        return fresh

    def _drop_unsealed(self) -> None:
        self.drop("repeated_by_phone" if self._srtp.status in (REPLAYED, TOO_OLD) else "not_encryptable")


class Opener:
    """Decrypts what one sender says; what is forged or repeated is dropped, and counted by `drop`.

    `opened` counts what was good.
    """

    __slots__ = ("_followed", "_srtp", "_streams", "drop", "opened")

    def __init__(self, srtp: Srtp, drop: Callable[[str], None]) -> None:
        self.opened = 0
        self._srtp = srtp
        self.drop = drop
        self._streams: set[bytes] = set()
        self._followed: dict[bytes, int] = {}

    def open(self, packet: bytes, *, is_from_known: bool = False) -> bytes | None:  # noqa: ARG002 - all are looked at
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
            self.opened += 1
        return opened

    def follow(self, packet: bytes) -> None:
        """Keep up with RTP that passes unopened.

        Who is to open it later must know its rollover counter, which no packet tells (RFC 3711 section 3.3.1).
        """
        ssrc, number = packet[8:12], int.from_bytes(packet[2:4])
        last = self._followed.get(ssrc)
        if last is None and len(self._followed) >= MAX_STREAMS:
            return
        if last is None or FOLLOWED <= (number - last) % 65_536 < 32_768:
            self._followed[ssrc] = number
            self._srtp.process(packet)


class Passage:
    """Lets SRTP pass as it is, both ways: it is the phones' to open.

    The node has seen the key as well, and proves with it what could do harm at the node itself: RTCP, and RTP from
    where none was heard before, which would be taken for the phone. All other RTP passes without a look.
    """

    __slots__ = ("_opener",)

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def seal(self, packet: bytes) -> bytes:
        """See `Outward.seal`."""
        return packet

    def restored(self, rtcp: bytes) -> bytes:
        """See `Outward.restored`."""
        return rtcp

    def open(self, packet: bytes, *, is_from_known: bool = False) -> bytes | None:
        """See `Inward.open`."""
        if is_from_known and not is_rtcp(packet):
            self._opener.follow(packet)
            return packet
        return None if self._opener.open(packet) is None else packet
