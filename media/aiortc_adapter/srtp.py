"""SRTP on libsrtp's own functions: pylibsrtp refuses packets over 1,356 bytes and allocates for each one."""

# ruff: noqa: SLF001 - this package is where private seams are touched; a contract test watches them

from collections.abc import Callable
from functools import partial

from aiortc.rtcdtlstransport import SRTPProtectionProfile
from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

from media.protocol.rtp import is_rtcp

REPLAYED, TOO_OLD = 9, 10  # srtp_err_status_replay_fail and _replay_old of libsrtp 2
REPLAY_WINDOW_PACKETS = 1_024
MAX_PACKET_BYTES = 2_048
BUFFER = bytearray(2_304)
"""Where packets are encrypted and decrypted in place, all of them: media has one thread, and what is used always is in
the processor's cache. A packet, and what SRTP may put behind it."""
SIZE = ffi.new("int *")
DATA = ffi.from_buffer("char[]", BUFFER)
unpack = ffi.unpack

SUITES = {
    suite: SRTPProtectionProfile(profile, b"", key_length, salt_length)
    for suite, profile, key_length, salt_length in (
        ("AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
        ("AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
        ("AES_CM_128_HMAC_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
        ("AES_CM_128_HMAC_SHA1_32", Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 16, 14),
    )
}
"""The suites of RFC 4568 and RFC 7714 by their names in SDP; DTLS does not choose these, so they lack its name."""


class Srtp:
    """One direction of one SRTP session.

    `rtp` and `rtcp` work on what lies in `BUFFER`, as long as `SIZE[0]` says before and after, and return libsrtp's
    word. `status` is its word on the last packet of `process`: 0, REPLAYED, TOO_OLD or another error. `crypt` and
    `handle` are the function for RTP and its first argument, as addresses, for who calls it from elsewhere.
    """

    __slots__ = ("_session", "crypt", "handle", "rtcp", "rtp", "status")

    def __init__(self, profile: SRTPProtectionProfile, key: bytes, *, outbound: bool) -> None:
        kind = Policy.SSRC_ANY_OUTBOUND if outbound else Policy.SSRC_ANY_INBOUND
        policy = Policy(key=key, ssrc_type=kind, srtp_profile=profile.libsrtp_profile)
        policy.window_size = REPLAY_WINDOW_PACKETS
        # The phone chooses SSRC and sequence number: a repeat with other content would reuse the keystream.
        policy.allow_repeat_tx = False
        self._session = Session(policy)
        handle = self._session._srtp[0]
        rtp, rtcp = (
            (lib.srtp_protect, lib.srtp_protect_rtcp)
            if outbound
            else (lib.srtp_unprotect, lib.srtp_unprotect_rtcp)
        )
        self.crypt = int(ffi.cast("uintptr_t", ffi.addressof(lib, rtp.__name__)))
        self.handle = int(ffi.cast("uintptr_t", handle))
        self.rtp: Callable[[], int] = partial(rtp, handle, DATA, SIZE)
        self.rtcp: Callable[[], int] = partial(rtcp, handle, DATA, SIZE)
        self.status = 0

    def process(self, packet: bytes) -> bytes | None:
        """Encrypt or decrypt one packet of at most `MAX_PACKET_BYTES`; None when libsrtp refuses it."""
        BUFFER[: len(packet)] = packet
        SIZE[0] = len(packet)
        self.status = self.rtcp() if is_rtcp(packet) else self.rtp()
        return None if self.status else unpack(DATA, SIZE[0])
