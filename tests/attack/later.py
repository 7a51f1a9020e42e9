"""Attacks on a call that stands, signed and pinned: it must go on as it is, and whoever is asked for less says no."""

import re
from typing import ClassVar

from OpenSSL import SSL

from tests.attack.path import OnThePath, other_fingerprint, plain_rtp, sdes
from tests.attack.rig import NAMES, NO_WAY, NOTHING, OTHER, PLAIN, SIGNED, Name, Rig
from tests.media.call_pair import call, rtp
from tests.media.tap import Tap, connect

CHANGED = "488 The other node changed its transport in the middle of the call"
TWO_CERTIFICATES = "488 The other node shows more than one certificate in one call"
VIDEO = "m=video 9998 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"
GOODBYE = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x01\x00"
"""An alert, close_notify, without encryption."""


def plain_record(body: bytes) -> bytes:
    """Return application data without encryption."""
    return b"\x17\xfe\xfd" + bytes(8) + len(body).to_bytes(2) + body


def own_hello() -> bytes:
    """Return the ClientHello of somebody else."""
    client = SSL.Connection(SSL.Context(SSL.DTLS_METHOD))
    client.set_connect_state()
    try:
        client.do_handshake()
    except SSL.WantReadError:
        return bytes(client.bio_read(4_096))
    raise AssertionError


class InTheCall(OnThePath):
    """Lets the call be secured, attacks it, and waits until both have heard more of each other."""

    says: ClassVar = {"caller": (SIGNED,), "callee": (SIGNED,)}
    intact: ClassVar = True

    async def then(self) -> None:
        """Attack in the middle of the talk."""
        for name in NAMES:
            await self.rig.sides[name].secured()
        await self.rig.goes_on(2)
        await self.strike()
        await self.rig.goes_on()

    async def strike(self) -> None:
        """Attack."""
        raise NotImplementedError


class WeakerReinvite(InTheCall):
    """linphone-sdk#411, translated: who owns the signalling asks both, in the call, to go on with less."""

    says: ClassVar = {"caller": (PLAIN,), "callee": (PLAIN,)}

    @staticmethod
    def weaker(sdp: bytes) -> bytes:
        """Return what he asks for."""
        raise NotImplementedError

    async def strike(self) -> None:
        """Ask each in the other's name."""
        for name in NAMES:
            offer = await self.rig.sides[OTHER[name]].media.offer_from_phone(self.phone_sdp(OTHER[name]))
            with self.rig.refusal(name):
                await self.rig.sides[name].media.offer_from_mesh(self.weaker(offer))

    def phone_sdp(self, name: Name) -> bytes:
        """Return what he starts from."""
        return self.rig.sides[name].phone.sdp(version=2)


class PlainReinvite(WeakerReinvite):
    """A re-INVITE to plain RTP."""

    weaker = staticmethod(plain_rtp)


class SdesReinvite(WeakerReinvite):
    """A re-INVITE to SRTP with keys that the signalling knows."""

    weaker = staticmethod(sdes)


class CertificateInReinvite(WeakerReinvite):
    """A re-INVITE to another certificate."""

    says: ClassVar = {"caller": (TWO_CERTIFICATES,), "callee": (TWO_CERTIFICATES,)}
    weaker = staticmethod(other_fingerprint)


class TransportInReinvite(WeakerReinvite):
    """A re-INVITE to another ICE password, so that checks of his own would count."""

    says: ClassVar = {"caller": (CHANGED,), "callee": (CHANGED,)}

    @staticmethod
    def weaker(sdp: bytes) -> bytes:
        """Change the password."""
        start = sdp.index(b"a=ice-pwd:") + 10
        return sdp[:start] + b"x" * 32 + sdp[start + 32 :]


class CertificateInRepair(InTheCall):
    """Who owns the signalling tells both that the path died, and names another certificate with the new one."""

    says: ClassVar = {"caller": (TWO_CERTIFICATES,), "callee": (TWO_CERTIFICATES,)}

    async def strike(self) -> None:
        """Ask each in the other's name."""
        for name in NAMES:
            asking = self.rig.sides[OTHER[name]].media
            asking._renewal.ask()
            with self.rig.refusal(name):
                await self.rig.sides[name].media.renew_transport(
                    other_fingerprint(await asking.transport_renewal())
                )


class RepairToNowhere(InTheCall):
    """The same, with the right certificate and passwords and addresses of his own: nobody proves to be there."""

    async def strike(self) -> None:
        """Ask each in the other's name; what they answer goes nowhere."""
        for name in NAMES:
            asking = self.rig.sides[OTHER[name]].media
            asking._renewal.ask()
            own = re.sub(rb"127\.0\.0\.1 \d+", b"127.0.0.1 9", await asking.transport_renewal())
            await self.rig.sides[name].media.renew_transport(own.replace(b"a=ice-pwd:", b"a=ice-pwd:x"))


class CertificateInVideo(WeakerReinvite):
    """A re-INVITE adds a picture whose section names another certificate than the sound's."""

    says: ClassVar = {"caller": (TWO_CERTIFICATES,), "callee": (TWO_CERTIFICATES,)}

    def phone_sdp(self, name: Name) -> bytes:
        """Add video."""
        return self.rig.sides[name].phone.sdp(version=2, extra=VIDEO)

    @staticmethod
    def weaker(sdp: bytes) -> bytes:
        """Change the second section only."""
        sound, picture = sdp.split(b"m=video")
        return sound + b"m=video" + other_fingerprint(picture)


class PlainAnswerToReinvite(InTheCall):
    """An honest re-INVITE (a hold), whose 200 becomes one for plain RTP."""

    says: ClassVar = {"caller": (PLAIN,), "callee": (SIGNED,)}

    async def strike(self) -> None:
        """Change the answer."""
        offer = await self.rig.caller.media.offer_from_phone(self.rig.caller.phone.sdp(version=2))
        await self.rig.callee.media.offer_from_mesh(offer)
        answer = await self.rig.callee.media.answer_from_phone(self.rig.callee.phone.sdp(version=2))
        with self.rig.refusal("caller"):
            await self.rig.caller.media.answer_from_mesh(plain_rtp(answer))


class ReplayedDatagrams(InTheCall):
    """All that was on the wire comes once more, to whom it was sent and to whom it came from."""

    async def strike(self) -> None:
        """Repeat and reflect."""
        for to, data in list(self.tap.wire):
            if data[0] > 3:
                self.tap.inject(to, data)
                self.tap.inject("caller" if to == "callee" else "callee", data)


class PlainRtpThrownIn(InTheCall):
    """Plain RTP from the peer's own address."""

    async def strike(self) -> None:
        """Speak to both."""
        for number in range(50):
            for name in NAMES:
                self.tap.inject(name, rtp(number, b"spoken by mallory" * 10))


class NewHandshake(InTheCall):
    """Somebody else begins a handshake on the standing connection, and the old ClientHello comes again."""

    async def strike(self) -> None:
        """Send both."""
        old = next(data for to, data in self.tap.wire if to == "caller" and data[0] == 22)
        for hello in (own_hello(), old):
            for name in NAMES:
                self.tap.inject(name, hello)


class ForgedRecords(InTheCall):
    """A goodbye and messages of the confirmation, without encryption."""

    async def strike(self) -> None:
        """Send them to both."""
        for record in (
            GOODBYE,
            plain_record(b"\x01\x05\x00\x00"),
            plain_record(b"\x01\x01\x00\x20" + bytes(32)),
        ):
            for name in NAMES:
                self.tap.inject(name, record)


class ReplayedInvite(OnThePath):
    """The INVITE of an earlier call, with all that the caller sent then."""

    says: ClassVar = {"caller": (NOTHING,), "callee": (NO_WAY,)}

    async def play(self, rig: Rig) -> None:
        """Record an honest call between others of the same names, then play it to the callee."""
        old, tap = await Tap().open(), await rig.tap()
        async with call() as pair:
            await connect(pair, old)
            await pair.secured()
            invite = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp(version=2))
        old.close()
        recorded = iter([data for to, data in old.wire if to == "callee"])

        def answer(_to: str, _data: bytes) -> bool:
            data = next(recorded, None)
            if data is not None:
                tap.inject("callee", data)
            return True

        tap.drops = answer
        await rig.callee.media.offer_from_mesh(tap.rewrite("caller", invite))
        fragment = rig.callee.media.transport_fragment()
        assert fragment is not None
        tap.rewrite("callee", fragment)
        await rig.callee.media.answer_from_phone(rig.callee.phone.sdp())


ATTACKS: tuple[type[OnThePath], ...] = (
    PlainReinvite, SdesReinvite, CertificateInReinvite, TransportInReinvite, CertificateInVideo,
    CertificateInRepair, RepairToNowhere,
    PlainAnswerToReinvite, ReplayedDatagrams, PlainRtpThrownIn, NewHandshake, ForgedRecords, ReplayedInvite,
)  # fmt: skip
