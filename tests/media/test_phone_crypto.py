"""SRTP between a phone and its node: keys are agreed, packets are proven, no keystream is used twice."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from media.aiortc_adapter.srtp import SUITES, Srtp
from media.errors import MediaRefused
from media.phone_crypto import MAX_OFFERED, PhoneCrypto, own_keys, secured
from media.phone_leg import PhoneLeg
from media.protocol.phone_side import OwnPort, for_phone, phone_media
from media.protocol.sdes import KEY_AND_SALT_BYTES, Crypto
from media.protocol.sdp import SessionDescription
from media.sealing import MAX_STREAMS

from .call_pair import LOOPBACK, Phone, rtp, sender_report, until
from .srtp_phone import SrtpPhone, keys_in

ZRTP = b"\x10\x00" + bytes(2) + b"ZRTP" + bytes(20)


class Scene:
    """One section of a node, towards phones."""

    def __init__(self, leg: PhoneLeg) -> None:
        self.leg = leg
        self.crypto = PhoneCrypto(leg)
        self.said: list[bytes] = []
        leg.sink = leg.zrtp_sink = self.said.append

    def written(self, keys: tuple[Crypto, ...], phone: Phone) -> bytes:
        description = SessionDescription.parse(phone.sdp())
        return bytes(for_phone(description, LOOPBACK, [OwnPort(self.leg.port, self.leg.mux, keys)]))

    def take_offer(self, phone: SrtpPhone) -> None:
        """Let a phone offer; its answer is taken from `answer`."""
        (side,) = phone_media(SessionDescription.parse(phone.offer()))
        assert side is not None
        self.crypto.take_offer(side.keys)
        self.leg.aim(side)

    def answer(self, phone: SrtpPhone) -> None:
        self.crypto.settle()
        assert self.crypto.own is not None
        phone.answered(self.written((self.crypto.own,), phone))

    def offer(self, phone: Phone) -> bytes:
        return secured(self.written((), phone), (self.crypto,))

    def take_answer(self, sdp: bytes) -> None:
        (side,) = phone_media(SessionDescription.parse(sdp))
        assert side is not None
        self.crypto.take_answer(side.keys)
        self.leg.aim(side)


@contextlib.asynccontextmanager
async def scene(*phones: Phone) -> AsyncIterator[Scene]:
    leg = PhoneLeg(LOOPBACK, frozenset({LOOPBACK}))
    await leg.open()
    for phone in phones:
        await phone.open()
        phone.node = (LOOPBACK, leg.port)
    yield Scene(leg)
    await leg.aclose()
    for phone in phones:
        phone.close()


def test_the_cipher_is_that_of_the_standard() -> None:
    """The reference packet of libsrtp, under the master key and salt of RFC 3711 B.3."""
    key = bytes.fromhex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6")
    packet = bytes.fromhex("800f1234decafbadcafebabe" + "ab" * 16)
    sealed = Srtp(SUITES["AES_CM_128_HMAC_SHA1_80"], key, outbound=True).process(packet)
    assert sealed is not None
    assert sealed.hex() == "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb"


@pytest.mark.parametrize("mux", [False, True])
@pytest.mark.parametrize("suite", KEY_AND_SALT_BYTES)
async def test_rtp_and_rtcp_go_both_ways_under_each_suite(suite: str, *, mux: bool) -> None:
    phone = SrtpPhone(suite, mux=mux)
    async with scene(phone) as it:
        it.take_offer(phone)
        it.answer(phone)
        phone.say(rtp(1))
        phone.say_rtcp(sender_report())
        await until(lambda: len(it.said) == 2)
        assert sorted(it.said) == sorted([rtp(1), sender_report()])
        it.leg.send(rtp(2))
        it.leg.send(sender_report(3))
        if mux:
            await phone.hears(rtp(2))
            assert await phone.next_rtcp() == sender_report(3)
        else:
            assert await phone.next_rtcp() == sender_report(3)
            await phone.hears(rtp(2))


async def test_what_is_forged_repeated_plain_or_under_another_key_is_dropped_and_counted() -> None:
    phone, stranger = SrtpPhone(), SrtpPhone()
    async with scene(phone, stranger) as it:
        it.take_offer(phone)
        it.answer(phone)
        stranger.answered(it.written((it.crypto.own,), phone) if it.crypto.own else b"")
        sealed = phone.sealed(rtp(1))
        forged = sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:]
        for data in (forged, stranger.sealed(rtp(2)), rtp(3)):
            stranger.send(data)
        await until(lambda: it.leg.dropped.get("phone_forged") == 3)
        report = phone.sealed(sender_report())
        stranger.send_rtcp(report[:10] + bytes([report[10] ^ 1]) + report[11:])
        stranger.send_rtcp(sender_report())
        await until(lambda: it.leg.dropped.get("phone_forged") == 5)
        it.leg.send(rtp(9))
        await phone.hears(rtp(9))  # none of it has been taken for the phone
        phone.send(sealed)
        await until(lambda: it.said == [rtp(1)])
        phone.send(sealed)
        await until(lambda: it.leg.dropped.get("phone_repeated") == 1)
        assert it.said == [rtp(1)]


async def test_zrtp_has_no_place_beside_srtp() -> None:
    phone = SrtpPhone()
    async with scene(phone) as it:
        it.take_offer(phone)
        it.answer(phone)
        phone.send(ZRTP)
        await until(lambda: it.leg.dropped.get("zrtp_beside_srtp") == 1)
        it.leg.send(ZRTP)
        assert it.leg.dropped["zrtp_beside_srtp"] == 2
        assert it.said == []
        assert it.leg.usual_source is None
        assert it.leg.path is None, "all of it goes by way of the cipher"


async def test_nothing_passes_between_our_offer_and_the_answer() -> None:
    phone = SrtpPhone()
    async with scene(phone) as it:
        it.offer(phone)
        phone.send(rtp(1))
        await until(lambda: it.leg.dropped.get("phone_before_keys") == 1)
        (side,) = phone_media(SessionDescription.parse(phone.sdp()))
        assert side is not None
        it.leg.aim(side)
        it.leg.send(rtp(2))
        assert it.leg.dropped["phone_before_keys"] == 2
        assert phone.heard.empty()
        assert it.said == []


async def test_each_phone_is_offered_keys_of_its_own_and_the_one_that_answers_is_known_by_them() -> None:
    one, other, plain = SrtpPhone(), SrtpPhone("AEAD_AES_128_GCM"), Phone()
    async with scene(one, other, plain) as it:
        offers = [it.offer(phone) for phone in (one, other)]
        keys = [keys_in(offer) for offer in offers]
        assert [key.tag for each in keys for key in each] == list(range(1, 9))
        assert len({key.key for each in keys for key in each}) == 8
        it.take_answer(one.answer(offers[0]))  # early, in an 18x
        it.leg.send(rtp(1))
        await one.hears(rtp(1))
        it.take_answer(other.answer(offers[1]))
        it.leg.send(rtp(2))
        await other.hears(rtp(2))
        one.say(rtp(3))
        await until(lambda: it.leg.dropped.get("phone_forged") == 1)
        other.say(rtp(4))
        await until(lambda: it.said == [rtp(4)])
        it.take_answer(plain.sdp())
        it.leg.send(rtp(5))
        await plain.hears(rtp(5))


async def test_an_answer_of_what_was_not_offered_is_refused() -> None:
    phone = SrtpPhone()
    async with scene(phone) as it:
        it.offer(phone)
        for tag, suite in ((9, phone.suites[0]), (1, phone.suites[0])):  # tag 1 is another suite
            with pytest.raises(MediaRefused, match="was not offered"):
                it.crypto.take_answer((Crypto(tag, suite, bytes(30)),))
        assert it.crypto.own is None


async def test_keys_of_old_offers_are_forgotten() -> None:
    async with scene() as it:
        for _ in range(MAX_OFFERED):
            it.crypto.offer()
        newest = it.crypto.offer()
        assert len(it.crypto._offered) == MAX_OFFERED
        it.crypto.take_answer((Crypto(newest[0].tag, newest[0].suite, bytes(44)),))


async def test_an_offer_that_stays_the_same_goes_on_under_the_same_session() -> None:
    """Keystream is a function of key, SSRC and number: the session remembers what has been used."""
    phone = SrtpPhone()
    async with scene(phone) as it:
        it.take_offer(phone)
        it.answer(phone)
        own = it.crypto.own
        it.leg.send(rtp(1, b"\x00" * 160))
        first = (await phone.heard.get())[12:172]
        for _ in range(3):
            it.take_offer(phone)
            it.crypto.settle()
            assert it.crypto.own == own
        it.leg.send(rtp(1, b"\x01" * 160))
        assert it.leg.dropped == {"repeated_by_phone": 1}
        it.leg.send(rtp(2, b"\x00" * 160))
        assert (await phone.heard.get())[12:172] != first


async def test_a_phone_that_changes_its_keys_is_heard_under_the_new_ones_from_the_answer_on() -> None:
    phone = SrtpPhone("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM")
    async with scene(phone) as it:
        it.take_offer(phone)
        it.answer(phone)
        own = it.crypto.own
        phone.say(rtp(1))
        await until(lambda: it.said == [rtp(1)])
        phone.suites = phone.suites[::-1]
        phone.new_keys()
        it.take_offer(phone)  # which is refused: all stays as it was
        assert it.crypto.own == own
        phone.say(rtp(2))
        await until(lambda: it.said[1:] == [rtp(2)])
        inbound = phone.inbound
        it.take_offer(phone)
        it.answer(phone)
        assert it.crypto.own is not None
        assert own is not None
        assert (it.crypto.own.suite, it.crypto.own.key) == (own.suite, own.key), "the suite in use stays"
        assert it.crypto.own.tag == 2
        phone.inbound = inbound  # ours has not changed, nor has its place in it
        phone.say(rtp(3))
        await until(lambda: it.said[2:] == [rtp(3)])
        it.leg.send(rtp(4))
        await phone.hears(rtp(4))


async def test_a_phone_that_goes_into_another_call_keeps_both_keys_and_its_place_in_the_stream() -> None:
    phone = SrtpPhone()
    async with scene(phone) as old, scene() as new:
        old.take_answer(phone.answer(old.offer(phone)))
        said = phone.offer()
        phone.say(heard := rtp(1))
        await until(lambda: old.said == [heard])
        old.leg.send(rtp(1))
        await phone.hears(rtp(1))
        again = secured(new.written((), phone), (new.crypto,), said)
        (key,) = keys_in(again)
        assert old.crypto.own is not None
        assert (key.suite, key.key) == (old.crypto.own.suite, old.crypto.own.key)
        phone.listen_to(again)
        new.take_answer(phone.description((phone.under_the_tag_of(again),)))
        new.leg.send(rtp(1, b"other"))
        assert new.leg.dropped == {"repeated_by_phone": 1}, "the keystream is not used twice"
        new.leg.send(rtp(2))
        await phone.hears(rtp(2))
        phone.say(rtp(2))
        await until(lambda: new.said == [rtp(2)])
        third = PhoneCrypto(new.leg)
        third.take_offer(phone.keys)
        assert third.own is not None
        assert third.own.key == key.key, "and so when it is the phone that offers"
        strangers = PhoneCrypto(new.leg)
        strangers.take_offer(SrtpPhone().keys)
        assert strangers.own is not None
        assert strangers.own.key != key.key


async def test_a_sender_that_begins_anew_under_its_ssrc_is_heard_under_another() -> None:
    phone = SrtpPhone()
    async with scene(phone) as it:
        it.take_offer(phone)
        it.answer(phone)
        it.leg.send(rtp(30_000))
        await phone.hears(rtp(30_000))
        it.leg.send(rtp(1))
        fresh = await phone.next()
        assert fresh[:8] + fresh[12:] == rtp(1)[:8] + rtp(1)[12:]
        assert fresh[8:12] != rtp(1)[8:12]
        it.leg.send(rtp(2))
        assert (await phone.next())[8:12] == fresh[8:12]
        report = b"\x81\xc9\x00\x07" + bytes(4) + fresh[8:12] + bytes(20)
        phone.say_rtcp(report)
        await until(lambda: it.said == [report[:8] + rtp(1)[8:12] + report[12:]])


async def test_streams_are_bounded_both_ways() -> None:
    phone = SrtpPhone()
    async with scene(phone) as it:
        it.take_offer(phone)
        it.answer(phone)
        for ssrc in range(MAX_STREAMS + 5):
            it.leg.send(rtp(1, ssrc=ssrc))
        assert it.leg.dropped == {"too_many_streams": 5}
        for ssrc in range(MAX_STREAMS + 5):
            phone.say(rtp(1, ssrc=ssrc))
        await until(lambda: it.leg.dropped == {"too_many_streams": 10})
        assert len(it.said) == MAX_STREAMS


async def test_who_encrypts_may_not_stop_in_the_middle_of_the_call() -> None:
    phone = SrtpPhone()
    async with scene(phone) as it:
        it.take_offer(phone)
        it.answer(phone)
        with pytest.raises(MediaRefused, match="stopped to encrypt"):
            it.crypto.take_offer(())
        with pytest.raises(MediaRefused, match="stopped to encrypt"):
            it.crypto.take_answer(())
        phone.say(rtp(1))
        await until(lambda: it.said == [rtp(1)])


async def test_a_section_that_is_added_is_encrypted_as_the_first() -> None:
    phone = SrtpPhone()
    async with scene(phone) as it, scene() as more:
        of_the_call = (it.crypto, more.crypto)
        assert own_keys(more.crypto, of_the_call, is_offer=True) == ()
        it.take_offer(phone)
        assert own_keys(it.crypto, of_the_call, is_offer=True) == (it.crypto.own,)
        assert own_keys(more.crypto, of_the_call, is_offer=False) == ()
        assert len(own_keys(more.crypto, of_the_call, is_offer=True)) == len(KEY_AND_SALT_BYTES)
        with pytest.raises(MediaRefused, match="stopped to encrypt"):
            more.crypto.take_answer(())


async def test_keys_are_shown_nowhere() -> None:
    phone = SrtpPhone()
    async with scene(phone) as it:
        it.take_offer(phone)
        it.answer(phone)
        (side,) = phone_media(SessionDescription.parse(phone.offer()))
        shown = repr((it.crypto.own, it.crypto, it.leg, side, vars(it.crypto)["_offered"]))
        for key in (*phone.keys, it.crypto.own):
            assert key is not None
            assert repr(key.key)[2:-1] not in shown
            assert key.line().rpartition(":")[2] not in shown
