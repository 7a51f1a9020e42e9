"""Attacks on the way: he owns signalling and path, changes, drops, delays and repeats, but ends no encryption."""

import asyncio
from dataclasses import replace
from typing import ClassVar

from media.parties import Parties
from media.protocol.sdes import Crypto
from media.protocol.transport_lines import PHONE_CRYPTO
from tests.attack.rig import (
    CLOSED,
    CONFIRM_SECONDS,
    FORGED,
    LATE,
    NO_DTLS,
    NO_EMS,
    NO_WAY,
    NOT_OFFERED,
    NOTHING,
    PLAIN,
    SIGNED,
    STRANGE_CERTIFICATE,
    UNSIGNED,
    Attack,
    Name,
    People,
    Rig,
)
from tests.media.call_pair import PARTIES, FastEndorser
from tests.media.tap import Tap

CLIENT_HELLO = 1
HANDSHAKE = 22
APPLICATION_DATA = 23
EXTENDED_MASTER_SECRET = b"\x00\x17\x00\x00"
USE_SRTP_GCM = b"\x00\x08\x00\x07"  # AEAD_AES_256_GCM, AEAD_AES_128_GCM (RFC 7714)
DTLS_1_2, DTLS_1_0 = b"\xfe\xfd", b"\xfe\xff"
SHORT_RECORD = 90
"""A COMMIT, NONCE or REVEAL is shorter on the wire, a SIGNATURE longer."""


def plain_rtp(sdp: bytes) -> bytes:
    """Turn a description into one for plain RTP."""
    kept = [
        line for line in sdp.split(b"\r\n") if not line.startswith((b"a=fingerprint", b"a=setup", b"a=ice"))
    ]
    return b"\r\n".join(kept).replace(b"UDP/TLS/RTP/SAVP", b"RTP/AVP")


def sdes(sdp: bytes) -> bytes:
    """Turn a description into one whose SRTP keys stand in the signalling (RFC 4568)."""
    key = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
    return plain_rtp(sdp).replace(b"RTP/AVP", b"RTP/SAVP") + key


def phone_key(sdp: bytes) -> bytes:
    """Say that the phone has a key of its own, for SRTP from end to end."""
    key = Crypto(1, "AES_CM_128_HMAC_SHA1_80", b"k" * 30)
    return sdp + f"a={PHONE_CRYPTO}:{key.value()}\r\n".encode()


def other_fingerprint(sdp: bytes) -> bytes:
    """Announce another certificate."""
    start = sdp.index(b"sha-256 ") + 8
    return sdp[:start] + b":".join([b"5A"] * 32) + sdp[start + 95 :]


class OnThePath(Attack):
    """Carries everything; each attack overrides one way of carrying."""

    rig: Rig
    tap: Tap

    async def play(self, rig: Rig) -> None:
        """Carry INVITE, 180 and 200 through the tap."""
        self.rig, self.tap = rig, await rig.tap()
        tap = self.tap
        tap.drops = lambda to, data: not self.carries(tap, to, data)
        offer = await rig.caller.media.offer_from_phone(rig.caller.phone.sdp())
        invite = self.invite(tap.rewrite("caller", offer))
        with rig.refusal("callee"):
            await rig.callee.media.offer_from_mesh(invite)
        if rig.refused["callee"]:
            return
        fragment = rig.callee.media.transport_fragment()
        assert fragment is not None
        with rig.refusal("caller"):
            await rig.caller.media.transport_from_mesh(self.ringing(tap.rewrite("callee", fragment)))
        answer = await rig.callee.media.answer_from_phone(rig.callee.phone.sdp())
        with rig.refusal("caller"):
            await rig.caller.media.answer_from_mesh(self.answer(tap.rewrite("callee", answer)))
        await self.then()

    def invite(self, sdp: bytes) -> bytes:
        """Carry the INVITE's description."""
        return sdp

    def ringing(self, sdp: bytes) -> bytes:
        """Carry the callee's transport in the 180."""
        return sdp

    def answer(self, sdp: bytes) -> bytes:
        """Carry the description of the 200."""
        return sdp

    def carries(self, _tap: Tap, _to: str, _data: bytes) -> bool:
        """Tell whether a datagram is to arrive as it is."""
        return True

    async def then(self) -> None:
        """Do something to the call that has been answered."""


class PlainInvite(OnThePath):
    """The INVITE on its way becomes one for plain RTP."""

    says: ClassVar = {"caller": (NOTHING,), "callee": (PLAIN,)}
    invite = staticmethod(plain_rtp)


class SdesInvite(OnThePath):
    """The INVITE on its way becomes one with SRTP keys that the signalling knows."""

    says: ClassVar = {"caller": (NOTHING,), "callee": (PLAIN,)}
    invite = staticmethod(sdes)


class PlainAnswer(OnThePath):
    """The 200 becomes one for plain RTP."""

    says: ClassVar = {"caller": (PLAIN,), "callee": (NOTHING,)}
    intact: ClassVar = True
    answer = staticmethod(plain_rtp)


class SdesAnswer(OnThePath):
    """The 200 becomes one with SRTP keys that the signalling knows."""

    says: ClassVar = {"caller": (PLAIN,), "callee": (NOTHING,)}
    intact: ClassVar = True
    answer = staticmethod(sdes)


class PhoneKeyInInvite(OnThePath):
    """A key that the signalling knows stands in the INVITE, as if the caller's phone had SRTP of its own."""

    says: ClassVar = {"caller": (SIGNED,), "callee": (SIGNED,)}
    intact: ClassVar = True
    invite = staticmethod(phone_key)


class PhoneKeyInAnswer(OnThePath):
    """The same in the 200, as if the callee's phone had chosen a key of the caller's, which has offered none."""

    says: ClassVar = {"caller": (NOT_OFFERED,), "callee": (NOTHING,)}
    intact: ClassVar = True
    answer = staticmethod(phone_key)


class FingerprintInInvite(OnThePath):
    """The caller's fingerprint is exchanged in the INVITE."""

    says: ClassVar = {"caller": (NO_DTLS,), "callee": (STRANGE_CERTIFICATE,)}
    invite = staticmethod(other_fingerprint)


class FingerprintInRinging(OnThePath):
    """The callee's fingerprint is exchanged in the 180."""

    says: ClassVar = {"caller": (STRANGE_CERTIFICATE,), "callee": (NO_DTLS, CLOSED)}
    ringing = staticmethod(other_fingerprint)

    def answer(self, sdp: bytes) -> bytes:
        """Say the same in the 200."""
        return other_fingerprint(sdp)


class DroppedConfirmation(OnThePath):
    """Every message of the confirmation is lost."""

    says: ClassVar = {"caller": (LATE,), "callee": (LATE, CLOSED)}

    def carries(self, _tap: Tap, _to: str, data: bytes) -> bool:
        """Drop application data."""
        return data[0] != APPLICATION_DATA


class DroppedConfirmationOfStrangers(DroppedConfirmation):
    """The same to two who have never talked: without words to compare there is no call either."""

    pinned: ClassVar = False


class DroppedSignatures(OnThePath):
    """Only the signatures are lost."""

    says: ClassVar = {"caller": (LATE, CLOSED), "callee": (LATE, CLOSED)}

    def carries(self, _tap: Tap, _to: str, data: bytes) -> bool:
        """Drop what is as long as a signature."""
        return data[0] != APPLICATION_DATA or len(data) < SHORT_RECORD


class DroppedSignaturesOfStrangers(DroppedSignatures):
    """The same to two who have never talked: they are left with the words, and are told that it is no more."""

    says: ClassVar = {"caller": (UNSIGNED,), "callee": (UNSIGNED,)}
    pinned: ClassVar = False
    intact: ClassVar = True


class LateConfirmation(OnThePath):
    """Every message of the confirmation comes, but too late."""

    says: ClassVar = {"caller": (LATE,), "callee": (LATE, CLOSED)}

    def carries(self, tap: Tap, to: str, data: bytes) -> bool:
        """Hold application data back until the time is over."""
        if data[0] == APPLICATION_DATA:
            loop = asyncio.get_running_loop()
            loop.call_later(CONFIRM_SECONDS + 0.3, self.deliver, tap, to, data)
        return data[0] != APPLICATION_DATA

    def deliver(self, tap: Tap, to: str, data: bytes) -> None:
        """Let it go, if anybody is still there."""
        if not tap.is_closed:
            tap.inject(to, data)


class LateSignaturesOfStrangers(LateConfirmation):
    """Only the signatures are late, in a first call: not signed is said first, and signed when they are there."""

    says: ClassVar = {"caller": (SIGNED,), "callee": (SIGNED,)}
    pinned: ClassVar = False
    intact: ClassVar = True

    def carries(self, tap: Tap, to: str, data: bytes) -> bool:
        """Hold back what is as long as a signature."""
        return len(data) < SHORT_RECORD or super().carries(tap, to, data)


class Reflection(OnThePath):
    """What a node sends comes back to it, and nothing else."""

    says: ClassVar = {"caller": (NO_WAY, NO_DTLS), "callee": (NO_WAY, NO_DTLS)}

    def carries(self, tap: Tap, to: str, data: bytes) -> bool:
        """Send it back."""
        if data[0] > 3:
            tap.inject("caller" if to == "callee" else "callee", data)
        return data[0] <= 3


class ChangedHello(OnThePath):
    """The callee's ClientHello is weakened on its way."""

    says: ClassVar = {"caller": (NO_DTLS, NO_EMS), "callee": (NO_DTLS, NO_WAY)}
    what: ClassVar[bytes]
    by: ClassVar[bytes]

    def carries(self, tap: Tap, to: str, data: bytes) -> bool:
        """Exchange some bytes of the ClientHello."""
        hello = data[0] == HANDSHAKE and len(data) > 13 and data[13] == CLIENT_HELLO and self.what in data
        if hello:
            tap.inject(to, self.weakened(data))
        return not hello

    def weakened(self, data: bytes) -> bytes:
        """Return the ClientHello as he wants it."""
        return data.replace(self.what, self.by)


class StrippedEms(ChangedHello):
    """The extended master secret is taken out of the ClientHello (RFC 7627; the triple handshake needs that)."""

    what: ClassVar = EXTENDED_MASTER_SECRET
    by: ClassVar = b"\x1a\x1a\x00\x00"


class WeakerProfile(ChangedHello):
    """The better SRTP profiles are taken out of the ClientHello."""

    what: ClassVar = USE_SRTP_GCM
    by: ClassVar = b"\x00\x02\x00\x02"  # AES128_CM_SHA1_32


class OlderVersion(ChangedHello):
    """The ClientHello asks for DTLS 1.0."""

    what: ClassVar = DTLS_1_2

    def weakened(self, data: bytes) -> bytes:
        """Change the version of the hello, behind record header and handshake header."""
        return data[:25] + DTLS_1_0 + data[27:]


class UnknownKeyShare(OnThePath):
    """RFC 8844: Alice calls Mallory, who passes the call on to Bob as his own. The encryption is Alice's and Bob's."""

    says: ClassVar = {"caller": (LATE, CLOSED), "callee": (FORGED,)}

    def parties(self, name: Name) -> Parties:
        """Alice believes that she calls Mallory, Bob that Mallory calls him."""
        if name == "caller":
            return replace(PARTIES, callee_fingerprint="C" * 40)
        return replace(PARTIES, caller_fingerprint="C" * 40)

    def endorser(self, people: People, name: Name) -> FastEndorser:
        """Each expects Mallory's signature."""
        return FastEndorser(getattr(people, name), people.mallory.public_key())


class UnknownKeyShareAtTheCallee(UnknownKeyShare):
    """Alice calls Mallory; Bob is told, rightly, that it is Alice."""

    def parties(self, name: Name) -> Parties:
        """Only Alice is mistaken."""
        return super().parties(name) if name == "caller" else PARTIES

    def endorser(self, people: People, name: Name) -> FastEndorser:
        """Bob expects Alice's signature."""
        return (
            FastEndorser(people.callee, people.caller.public_key())
            if name == "callee"
            else (super().endorser(people, name))
        )


class AnotherNode(OnThePath):
    """The directory gives the callee's name with the right OpenPGP key, but another node's id."""

    says: ClassVar = {"caller": (LATE, CLOSED), "callee": (FORGED,)}

    def parties(self, name: Name) -> Parties:
        """The caller believes in another node."""
        return replace(PARTIES, callee_node_id=b"m" * 20) if name == "caller" else PARTIES


class SplicedCalls(OnThePath):
    """Two calls between the same two people are joined crosswise: the Call-IDs differ."""

    says: ClassVar = {"caller": (LATE, CLOSED), "callee": (FORGED,)}

    def call_id(self, name: Name) -> str:
        """Each side is in another call."""
        return f"call-of-the-{name}@test"


class ShiftedConfirmation(OnThePath):
    """A record of the confirmation is repeated, cut short or changed: DTLS drops it, and the call is good."""

    says: ClassVar = {"caller": (SIGNED,), "callee": (SIGNED,)}
    intact: ClassVar = True

    def carries(self, tap: Tap, to: str, data: bytes) -> bool:
        """Send each record several times, and broken ones before it."""
        if data[0] == APPLICATION_DATA:
            for broken in (data[:-1] + bytes([data[-1] ^ 1]), data[:30], data, data):
                tap.inject(to, broken)
        return True


ATTACKS: tuple[type[OnThePath], ...] = (
    PlainInvite, SdesInvite, PlainAnswer, SdesAnswer, PhoneKeyInInvite, PhoneKeyInAnswer,
    FingerprintInInvite, FingerprintInRinging, DroppedConfirmation,
    DroppedConfirmationOfStrangers, DroppedSignatures, DroppedSignaturesOfStrangers, LateConfirmation,
    LateSignaturesOfStrangers, Reflection,
    StrippedEms, WeakerProfile, OlderVersion, UnknownKeyShare, UnknownKeyShareAtTheCallee, AnotherNode, SplicedCalls,
    ShiftedConfirmation,
)  # fmt: skip
