"""A hostile phone, and a keystream that is never used twice: two packets under one would give both away.

The phone chooses SSRC, sequence number, kind and content of each packet. It knows its plaintext; what it gets the node
to send is on the wire. Plaintext and ciphertext together are the keystream, and no piece of it may come twice.
"""

import struct
from typing import Any

import pytest
from aiortc.rtcdtlstransport import SRTP_PROFILES, SRTPProtectionProfile
from hypothesis import given, settings
from hypothesis import strategies as st

from media.aiortc_adapter.srtp import Srtp
from media.bridge import Bridge, Gate
from media.sealing import MAX_STREAMS, Sealer

PROFILES = {profile.openssl_profile.decode(): profile for profile in SRTP_PROFILES}
SECRET = bytes(64)
PIECE = 16
"""Sixteen bytes of two keystreams are the same by chance once in 2^128."""

NUMBERS = st.one_of(
    st.sampled_from([0, 1, 2, 0x3FFF, 0x7FFE, 0x7FFF, 0x8000, 0x8001, 0xFFFD, 0xFFFE, 0xFFFF]),
    st.integers(0, 0xFFFF),
    st.integers(0, 8),
)
PACKETS = st.tuples(st.booleans(), st.sampled_from([0, 1, 2, 0xFFFFFFFF]), NUMBERS, st.integers(0, 2))
NEVER: frozenset[int] = frozenset()


class Wire:
    """Stands for the phone leg and for ICE: keeps what the bridge sends to the mesh."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.sink: Any = None
        self.heard = self.heard_media = False
        self.usual_source = self.carrier = None
        self.is_end_to_end = False
        self.path = (lambda data, _address: self.sent.append(data)), ("192.0.2.1", 9)

    def open_srtp(self, sink: Any) -> None:
        """Nothing comes from there."""

    def send_srtp(self, packet: bytes) -> None:
        self.sent.append(packet)


def session(profile: SRTPProtectionProfile, *, outbound: bool) -> Srtp:
    key = SECRET[: profile.key_length + profile.salt_length]
    return Srtp(profile, key, outbound=outbound)


def bridge(profile: SRTPProtectionProfile) -> tuple[Bridge, Wire]:
    wire: Any = Wire()
    made = Bridge(
        wire, wire, session(profile, outbound=True), session(profile, outbound=False), Gate(is_open=True)
    )
    made.start()
    return made, wire


def packet(*, rtcp: bool, ssrc: int, number: int, csrcs: int, content: int) -> tuple[bytes, int]:
    """Return a packet that the phone sends, and where its secret part begins."""
    body = bytes([content & 0xFF]) * 32
    if rtcp:
        return struct.pack("!BBHI", 0x80, 201, 9, ssrc) + body, 8
    header = struct.pack("!BBHII", 0x80 | csrcs, 0, number, 5, ssrc) + bytes(4 * csrcs)
    return header + body, len(header)


def used(
    profile: SRTPProtectionProfile, script: list[tuple[bool, int, int, int]], turns: frozenset[int] = NEVER
) -> list[bytes]:
    """Let the phone send all of it through a bridge; return the pieces of keystream that were used.

    Before the packets of these numbers it turns to SRTP of its own from end to end, or back.
    """
    made, wire = bridge(profile)
    pieces = []
    for content, (rtcp, ssrc, number, csrcs) in enumerate(script):
        plain, at = packet(rtcp=rtcp, ssrc=ssrc, number=number, csrcs=csrcs, content=content)
        wire.sent.clear()
        wire.is_end_to_end ^= content in turns
        made.from_phone(plain)
        assert len(wire.sent) <= 1
        for sealed in wire.sent:
            pairs = zip(plain[at : at + PIECE], sealed[at : at + PIECE], strict=True)
            pieces.append(bytes(clear ^ coded for clear, coded in pairs))
    return pieces


@pytest.mark.parametrize("name", PROFILES)
def test_what_is_watched_is_the_keystream_itself(name: str) -> None:
    script = [(False, 7, 1, 0), (False, 7, 2, 0), (True, 7, 0, 0)]
    pieces = used(PROFILES[name], script)
    assert len(set(pieces)) == 3
    assert pieces == used(PROFILES[name], script), "the same key, SSRC and number: the same keystream"


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(PROFILES)), script=st.lists(PACKETS, min_size=2, max_size=60))
def test_no_piece_of_keystream_is_used_twice_whatever_the_phone_sends(
    name: str, script: list[tuple[bool, int, int, int]]
) -> None:
    pieces = used(PROFILES[name], script)
    assert len(pieces) == len(set(pieces))


@settings(max_examples=150)
@given(
    name=st.sampled_from(sorted(PROFILES)),
    script=st.lists(PACKETS, min_size=2, max_size=60),
    turns=st.frozensets(st.integers(0, 60)),
)
def test_nor_when_phones_secure_themselves_for_a_while(
    name: str, script: list[tuple[bool, int, int, int]], turns: frozenset[int]
) -> None:
    pieces = used(PROFILES[name], script, turns)
    assert len(pieces) == len(set(pieces))


@settings(max_examples=150)
@given(name=st.sampled_from(sorted(PROFILES)), script=st.lists(PACKETS, min_size=2, max_size=60))
def test_a_node_that_goes_on_under_the_far_phones_key_uses_none_of_its_keystream(
    name: str, script: list[tuple[bool, int, int, int]]
) -> None:
    far, ours = (session(PROFILES[name], outbound=True) for _ in range(2))
    sealer = Sealer(ours, lambda _cause: None, shared=True)
    pieces = []
    for content, (rtcp, ssrc, number, csrcs) in enumerate(script):
        plain, at = packet(rtcp=rtcp, ssrc=ssrc, number=number, csrcs=csrcs, content=content)
        for sealed in filter(None, (far.process(plain), sealer.seal(plain))):
            pairs = zip(plain[at : at + PIECE], sealed[at : at + PIECE], strict=True)
            pieces.append(bytes(clear ^ coded for clear, coded in pairs))
    assert len(pieces) == len(set(pieces))


@pytest.mark.parametrize("name", PROFILES)
def test_a_phone_that_starts_over_again_and_again_gets_new_keystream_or_none(name: str) -> None:
    restarts = [(False, 7, number, 0) for _ in range(MAX_STREAMS + 20) for number in range(5)]
    wraps = [(False, 7, 0x6000 * step & 0xFFFF, 0) for step in range(200)]
    pieces = used(PROFILES[name], restarts + wraps)
    assert len(pieces) == len(set(pieces))
    assert len(pieces) > 4 * MAX_STREAMS / 2, "most of what it says after each restart is heard"


@pytest.mark.long
@settings(max_examples=3_000, deadline=None)
@given(name=st.sampled_from(sorted(PROFILES)), script=st.lists(PACKETS, min_size=2, max_size=400))
def test_no_piece_of_keystream_is_used_twice_in_three_thousand_hostile_calls(
    name: str, script: list[tuple[bool, int, int, int]]
) -> None:
    pieces = used(PROFILES[name], script)
    assert len(pieces) == len(set(pieces))
