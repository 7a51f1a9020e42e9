"""SRTP by DTLS between a phone and its node: who it is, when keys change, what floods, what never comes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import pytest

import media.phone_association
from media.aiortc_adapter.dtls import CallCertificate
from media.errors import MediaError, MediaRefused, first_of
from media.jobs import Job, Jobs
from media.phone_association import MAX_QUEUED, DtlsCall, DtlsPort
from media.phone_keys import PhoneKeys, encrypted
from media.phone_leg import PhoneLeg
from media.protocol.phone_side import OwnPort, for_phone, phone_media
from media.protocol.sdp import SessionDescription
from media.sealing import Sealer

from .call_pair import LOOPBACK, Phone, rtp, sender_report, until
from .dtls_phone import DtlsPhone, keyed
from .srtp_phone import SrtpPhone, keys_in

CLIENT_HELLO = bytes.fromhex("16feff0000000000000000000c") + bytes(12)


class Scene:
    """One section of a node, towards phones."""

    def __init__(self, leg: PhoneLeg, jobs: Jobs) -> None:
        self.leg = leg
        self.call = DtlsCall(lambda job: jobs.start(partial(self._contain, job)))
        self.failure: asyncio.Future[MediaError] = asyncio.get_running_loop().create_future()
        self.keys = PhoneKeys(leg, self.call)
        self.said: list[bytes] = []
        leg.sink = leg.zrtp_sink = self.said.append

    async def _contain(self, job: Job) -> None:
        try:
            await job()
        except* MediaError as errors:
            self.failure.set_result(first_of(errors))

    async def failed(self) -> MediaError:
        """Return what ends the call."""
        async with asyncio.timeout(3):
            return await self.failure

    def written(self, own: OwnPort) -> bytes:
        plain = SessionDescription.parse(PLAIN)
        return bytes(for_phone(plain, LOOPBACK, [own]))

    def take_offer(self, sdp: bytes) -> None:
        (side,) = phone_media(SessionDescription.parse(sdp))
        assert side is not None
        self.keys.take_offer(side)
        self.leg.aim(side)

    def answer(self) -> bytes:
        self.keys.settle(is_on=True)
        return self.written(self.keys.own_port([self.keys], is_offer=False))

    def offer(self, said: bytes = b"", *, by_dtls: bool = True) -> bytes:
        return encrypted(self.reoffer(), [self.keys], said, by_dtls=by_dtls)

    def reoffer(self) -> bytes:
        return self.written(self.keys.own_port([self.keys], is_offer=True))

    def take_answer(self, sdp: bytes) -> None:
        (side,) = phone_media(SessionDescription.parse(sdp))
        assert side is not None
        self.keys.take_answer(side)
        self.leg.aim(side)

    async def connect(self, phone: DtlsPhone) -> None:
        """Let a phone offer, be answered and shake hands."""
        self.take_offer(phone.offer())
        phone.told(self.answer())
        await phone.connect()
        await until(lambda: keyed(self.leg))


PLAIN = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"


@contextlib.asynccontextmanager
async def scene(*phones: Phone) -> AsyncIterator[Scene]:
    jobs, leg = Jobs(), PhoneLeg(LOOPBACK, frozenset({LOOPBACK}))
    await leg.open()
    for phone in phones:
        await phone.open()
    made = Scene(leg, jobs)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(jobs.run())
            try:
                yield made
            finally:
                for phone in phones:
                    if isinstance(phone, DtlsPhone):
                        await phone.hang_up()
                jobs.stop()
    finally:
        made.keys.close()
        await leg.aclose()
        for phone in phones:
            phone.close()


@pytest.mark.parametrize("profile", ["UDP/TLS/RTP/SAVP", "RTP/SAVPF"])
@pytest.mark.parametrize("mux", [True, False])
async def test_rtp_and_rtcp_go_both_ways(*, mux: bool, profile: str) -> None:
    phone = DtlsPhone(mux=mux, profile=profile)
    async with scene(phone) as it:
        await it.connect(phone)
        assert phone.node_dtls is not None
        assert (phone.node_dtls.setup, phone.node_dtls.profile) == ("passive", profile)
        assert {session.profile for session in phone.sessions} == {"SRTP_AEAD_AES_256_GCM"}
        await until(lambda: it.leg._srtcp is not None)
        phone.say(rtp(1))
        phone.say(sender_report())
        await until(lambda: len(it.said) == 2)
        assert sorted(it.said) == sorted([rtp(1), sender_report()])
        it.leg.send(rtp(2))
        await phone.is_told(rtp(2))
        it.leg.send(sender_report(3))
        await phone.is_told(sender_report(3))
        it.leg.send(rtp(30_000))
        it.leg.send(rtp(7))  # begins anew, as phones do after hold
        await phone.is_told(rtp(30_000))
        assert it.leg._srtp is not None
        sealer = it.leg._srtp[0]
        assert isinstance(sealer, Sealer)
        (anew,) = sealer.remapped.values()
        await phone.is_told(rtp(7)[:8] + anew + rtp(7)[12:])
        it.leg.send(sender_report(7))
        await phone.is_told(sender_report(int.from_bytes(anew)))


@pytest.mark.parametrize(("role", "is_server"), [("active", True), ("passive", False)])
async def test_a_phone_that_is_called_takes_either_side(role: str, *, is_server: bool) -> None:
    phone = DtlsPhone(role=role)  # type: ignore[arg-type]
    async with scene(phone) as it:
        offer = it.offer()
        assert b" UDP/TLS/RTP/SAVP " in offer
        assert b"a=rtcp-mux" in offer
        it.take_answer(phone.answer(offer))
        await phone.connect()
        await until(lambda: keyed(it.leg))
        assert it.keys.dtls._standing is not None
        assert it.keys.dtls._standing.association.is_server is is_server
        phone.say(rtp(1))
        await until(lambda: it.said == [rtp(1)])


async def test_nothing_passes_before_there_are_keys_and_nothing_in_the_clear_after() -> None:
    phone = DtlsPhone()
    async with scene(phone) as it:
        it.take_offer(phone.offer())
        phone.told(it.answer())
        phone.send(rtp(1))
        await until(lambda: it.leg.dropped.get("phone_before_keys") == 1)
        it.leg.send(rtp(2))
        assert it.leg.path is None
        await phone.connect()
        await until(lambda: keyed(it.leg))
        phone.send(rtp(3))
        await until(lambda: it.leg.dropped.get("phone_forged") == 1)
        assert it.said == []


async def test_hold_and_resume_by_either_side_stay_under_the_same_keys() -> None:
    phone = DtlsPhone(tls_id="t" * 20)
    async with scene(phone) as it:
        await it.connect(phone)
        first, association = phone.node_dtls, it.keys.dtls._standing
        assert first is not None
        assert first.tls_id
        it.take_offer(phone.offer(direction="sendonly", version=2))
        assert phone.told(it.answer()) == first
        again = phone.told(it.reoffer())
        assert (again.fingerprint, again.setup, again.tls_id) == (first.fingerprint, "actpass", first.tls_id)
        it.take_answer(phone.description("active", version=3))
        assert it.keys.dtls._standing is association
        phone.say(rtp(1))
        await until(lambda: it.said == [rtp(1)])


async def test_another_certificate_is_another_association_and_the_old_keys_are_no_good() -> None:
    phone = DtlsPhone(tls_id="t" * 20)
    async with scene(phone) as it:
        await it.connect(phone)
        first, before = phone.node_dtls, phone.srtp[0][0]
        await phone.hang_up()
        phone.certificate, phone.tls_id = CallCertificate.generate(), "u" * 20
        phone.srtp.clear()
        it.take_offer(phone.offer(version=2))
        assert keyed(it.leg), "until it is answered all stays as it was"
        second = phone.told(it.answer())
        assert first is not None
        assert second.tls_id != first.tls_id
        assert not keyed(it.leg)
        await phone.connect()
        await until(lambda: keyed(it.leg))
        old = before.process(rtp(1))
        assert old is not None
        phone.send(old)
        await until(lambda: it.leg.dropped.get("phone_forged") == 1)
        phone.say(rtp(2))
        await until(lambda: it.said == [rtp(2)])


async def test_a_change_that_is_refused_changes_nothing() -> None:
    phone = DtlsPhone()
    async with scene(phone) as it:
        await it.connect(phone)
        own, phone.certificate = phone.certificate, CallCertificate.generate()
        it.take_offer(phone.offer(version=2))  # and the other side refuses it
        phone.certificate = own
        phone.say(rtp(1))
        await until(lambda: it.said == [rtp(1)])
        it.take_offer(phone.offer(version=3))
        assert phone.told(it.answer()).setup == "passive"
        phone.say(rtp(2))
        await until(lambda: it.said == [rtp(1), rtp(2)])


async def test_who_has_encrypted_may_not_stop_nor_change_the_way() -> None:
    phone, other = DtlsPhone(), SrtpPhone()
    async with scene(phone, other) as it:
        await it.connect(phone)
        for sdp in (phone.sdp(version=2), other.offer(version=2)):
            with pytest.raises(MediaRefused, match="stopped to encrypt"):
                it.take_offer(sdp)
            it.reoffer()
            with pytest.raises(MediaRefused, match="stopped to encrypt"):
                it.take_answer(sdp)
        phone.say(rtp(1))
        await until(lambda: it.said == [rtp(1)])


async def test_keys_of_a_description_are_not_left_for_dtls_either() -> None:
    phone, other = DtlsPhone(), SrtpPhone()
    async with scene(phone, other) as it:
        it.take_offer(other.offer())
        other.answered(it.answer())
        with pytest.raises(MediaRefused, match="stopped to encrypt"):
            it.take_offer(phone.offer())
        other.say(rtp(1))
        await until(lambda: it.said == [rtp(1)])


async def test_it_is_not_taken_where_it_was_not_offered_or_the_role_is_open() -> None:
    phone = DtlsPhone()
    async with scene(phone) as it:
        offer = it.offer(by_dtls=False)
        assert keys_in(offer)
        phone.listen_to(offer)
        with pytest.raises(MediaRefused, match="not offered"):
            it.take_answer(phone.description("active"))
        it.offer()
        with pytest.raises(MediaRefused, match="which side"):
            it.take_answer(phone.description("actpass"))


async def test_of_several_phones_that_ring_the_one_that_answers_last_has_the_keys() -> None:
    kitchen, hall, desk = DtlsPhone(), DtlsPhone(), Phone()
    async with scene(kitchen, hall, desk) as it:
        offers = it.offer(), it.offer()
        it.take_answer(kitchen.answer(offers[0]))  # early, in a 183
        await kitchen.connect()
        await until(lambda: keyed(it.leg))
        it.take_answer(hall.answer(offers[1]))
        assert not keyed(it.leg)
        await hall.connect()
        await until(lambda: keyed(it.leg))
        kitchen.say(rtp(1))
        hall.say(rtp(2))
        await until(lambda: it.said == [rtp(2)])
        desk.node = hall.node
        it.take_answer(desk.sdp())  # a plain one beside them, at last
        desk.send(rtp(3))
        await until(lambda: it.said == [rtp(2), rtp(3)])
        hall.say(rtp(4))
        await until(lambda: it.leg.dropped.get("phone_foreign_source", 0) > 0)


async def test_a_phone_speaks_as_it_has_spoken_in_the_dialog() -> None:
    phone = DtlsPhone()
    async with scene(phone) as it:
        assert b"a=fingerprint" in it.offer(said=phone.offer(), by_dtls=False)
    async with scene(phone) as it:
        assert keys_in(it.offer(said=_sdes_said()))


def _sdes_said() -> bytes:
    key = b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n"
    return PLAIN.replace(b"RTP/AVP", b"RTP/SAVP") + key


async def test_somebody_else_than_described_gets_no_keys_and_the_call_ends() -> None:
    phone = DtlsPhone()
    phone.shown = b"\x01" * 32
    async with scene(phone) as it:
        it.take_offer(phone.offer())
        phone.told(it.answer())
        with pytest.raises(MediaError):
            await phone.connect()
        error = await it.failed()
        assert error.status == 403
        assert "certificate is not the announced one" in error.reason
        assert not keyed(it.leg)


async def test_a_phone_that_never_begins_ends_the_call_once_it_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media.phone_association, "CONNECT_SECONDS", 0.1)
    phone = DtlsPhone()
    async with scene(phone) as it:
        it.take_offer(phone.offer())
        it.answer()
        await asyncio.sleep(0.3)
        assert not it.failure.done(), "it still rings"
        it.call.expected.set()
        error = await it.failed()
        assert (error.status, error.reason) == (480, media.phone_association.NOT_SET_UP)


async def test_a_phone_that_closes_it_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media.phone_association, "GOODBYE_SECONDS", 0.1)
    phone = DtlsPhone()
    async with scene(phone) as it:
        await it.connect(phone)
        await phone.hang_up()
        assert "closed its encrypted connection" in (await it.failed()).reason


async def test_nonsense_in_place_of_a_handshake_ends_the_call() -> None:
    phone = DtlsPhone()
    async with scene(phone) as it:
        it.take_offer(phone.offer())
        phone.told(it.answer())
        phone.send(CLIENT_HELLO)
        error = await it.failed()
        assert (error.status, error.reason) == (488, "The encrypted connection could not be set up")


async def test_a_section_that_is_off_needs_none_and_what_comes_later_is_another_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(media.phone_association, "GOODBYE_SECONDS", 0.05)
    monkeypatch.setattr(media.phone_association, "CONNECT_SECONDS", 0.5)
    phone = DtlsPhone()
    async with scene(phone) as it:
        it.call.expected.set()
        it.take_offer(phone.offer())
        it.keys.settle(is_on=False)  # the other side does not take it
        await asyncio.sleep(0.7)
        await it.connect(phone)
        before = phone.node_dtls
        it.keys.take_offer(None)
        it.keys.settle(is_on=False)
        await phone.hang_up()
        await asyncio.sleep(0.2)
        assert not keyed(it.leg)
        phone.srtp.clear()
        it.take_offer(phone.offer(version=3))
        assert phone.told(it.answer()) == before, "no tls-id: the fingerprint is all there is"
        await phone.connect()
        await until(lambda: keyed(it.leg))
        it.keys.take_answer(None)
        await until(lambda: not keyed(it.leg))


async def test_of_a_flood_a_bounded_number_waits_and_the_phone_still_gets_through() -> None:
    phone, stranger = DtlsPhone(), Phone()
    async with scene(phone, stranger) as it:
        it.take_offer(phone.offer())
        phone.told(it.answer())
        stranger.node = phone.node
        port = DtlsPort(it.leg, by_rtcp=False)
        for _ in range(MAX_QUEUED + 9):
            port.received(CLIENT_HELLO, (LOOPBACK, phone.port))
        assert it.leg.dropped == {"phone_dtls_flood": 9}
        for _ in range(60):
            stranger.send(CLIENT_HELLO)
            stranger.send_rtcp(CLIENT_HELLO)
        await phone.connect()
        await until(lambda: keyed(it.leg))
        for _ in range(60):
            stranger.send(CLIENT_HELLO)
            stranger.send(b"\x14")
            stranger.send(b"")
        phone.say(rtp(1))
        await until(lambda: it.said == [rtp(1)])
        await until(lambda: it.leg.dropped.get("phone_foreign_source", 0) >= 60)


async def test_from_hosts_that_are_not_the_phones_nothing_is_taken() -> None:
    phone = DtlsPhone()
    async with scene(phone) as it:
        it.take_offer(phone.offer())
        phone.told(it.answer())
        for received in (it.leg._rtp_received, it.leg._rtcp_received):
            received(CLIENT_HELLO, ("192.0.2.1", 5000))
        assert it.leg.dropped == {"phone_foreign_source": 2}
        await phone.connect()
    assert it.leg.dtls_sinks is None
    it.leg._rtp_received(CLIENT_HELLO, (LOOPBACK, 5000))
    assert it.leg.dropped["phone_not_rtp"] == 1
