"""SRTP on libsrtp's own functions: pylibsrtp refuses packets over 1,356 bytes and allocates for each one."""

# ruff: noqa: SLF001 - this package is where private seams are touched; a contract test watches them

from aiortc.rtcdtlstransport import SRTPProtectionProfile
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

REPLAYED, TOO_OLD = 9, 10  # srtp_err_status_replay_fail and _replay_old of libsrtp 2
REPLAY_WINDOW_PACKETS = 1_024
MAX_PACKET_BYTES = 2_048
_BUFFER_BYTES = 2_304  # a packet, and what SRTP may put behind it
_unpack = ffi.unpack


class Srtp:
    """One direction of one SRTP session, in place on one buffer.

    `status` is libsrtp's word on the last packet: 0, REPLAYED, TOO_OLD or another error.
    """

    __slots__ = ("_buffer", "_data", "_handle", "_rtcp", "_rtp", "_session", "_size", "status")

    def __init__(self, profile: SRTPProtectionProfile, key: bytes, *, outbound: bool) -> None:
        kind = Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND
        policy = Policy(key=key, ssrc_type=kind, srtp_profile=profile.libsrtp_profile)
        policy.window_size = REPLAY_WINDOW_PACKETS
        # The phone chooses SSRC and sequence number: a repeat with other content would reuse the keystream.
        policy.allow_repeat_tx = False
        self._session = Session(policy)
        self._handle = self._session._srtp[0]
        self._buffer = bytearray(_BUFFER_BYTES)
        self._data = ffi.from_buffer("char[]", self._buffer)
        self._size = ffi.new("int *")
        self._rtp, self._rtcp = (
            (lib.srtp_protect, lib.srtp_protect_rtcp)
            if outbound
            else (lib.srtp_unprotect, lib.srtp_unprotect_rtcp)
        )
        self.status = 0

    def process(self, packet: bytes) -> bytes | None:
        """Encrypt or decrypt one packet of at most `MAX_PACKET_BYTES`; None when libsrtp refuses it."""
        size = self._size
        self._buffer[: len(packet)] = packet
        size[0] = len(packet)
        call = (
            self._rtcp if 192 <= packet[1] <= 223 else self._rtp
        )  # is_rtcp, without a call
        self.status = status = call(self._handle, self._data, size)
        return None if status else _unpack(self._data, size[0])
