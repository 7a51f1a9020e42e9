"""Calls over two nodes with phones that encrypt up to theirs: the same payloads come out at the other end."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from media.errors import MediaRefused

from .call_pair import Pair, Phone, call, rtp, sender_report, until
from .srtp_phone import SrtpPhone, keys_in


@dataclass
class Encrypted:
    """A call whose phones both encrypt, under suites of their own."""

    pair: Pair
    caller: SrtpPhone
    callee: SrtpPhone


@contextlib.asynccontextmanager
async def talking() -> AsyncIterator[Encrypted]:
    caller = SrtpPhone("AES_CM_128_HMAC_SHA1_80")
    callee = SrtpPhone("AEAD_AES_256_GCM", mux=True)
    async with call(caller={"phone": caller}, callee={"phone": callee}) as pair:
        mesh = await pair.caller.media.offer_from_phone(caller.offer())
        assert b"a=crypto" not in mesh
        offered = pair.callee.media.secure_offer(await pair.callee.media.offer_from_mesh(mesh), b"")
        answer = await pair.callee.media.answer_from_phone(callee.answer(offered))
        assert b"a=crypto" not in answer
        caller.answered(await pair.caller.media.answer_from_mesh(answer))
        await pair.secured()
        yield Encrypted(pair, caller, callee)


async def test_payloads_come_out_as_they_went_in() -> None:
    async with talking() as it:
        for number in range(50):
            payload = bytes([number]) * 160
            it.caller.say(rtp(number, payload))
            await it.callee.hears(rtp(number, payload))
            it.callee.say(rtp(number, payload[::-1], ssrc=9))
            await it.caller.hears(rtp(number, payload[::-1], ssrc=9))
        it.caller.say_rtcp(sender_report())
        assert await it.callee.next_rtcp() == sender_report()
        it.callee.say_rtcp(sender_report(9))
        assert await it.caller.next_rtcp() == sender_report(9)
        for side in (it.pair.caller, it.pair.callee):
            assert side.media._sections[0].phone.dropped == {}


async def test_hold_and_resume_go_on_under_the_same_keys() -> None:
    async with talking() as it:
        caller, callee = it.pair.caller.media, it.pair.callee.media
        it.caller.say(rtp(1))
        await it.callee.hears(rtp(1))
        for version, direction in ((2, "sendonly"), (3, "sendrecv")):
            offered = await callee.offer_from_mesh(
                await caller.offer_from_phone(it.caller.offer(direction=direction, version=version))
            )
            assert len(keys_in(offered)) == 1, "the one that is in use"
            assert callee.secure_offer(offered, b"") == offered
            again = it.callee.description((it.callee.under_the_tag_of(offered),))
            answered = await caller.answer_from_mesh(await callee.answer_from_phone(again))
            assert len(keys_in(answered)) == 1
        it.caller.say(rtp(2))
        await it.callee.hears(rtp(2))
        it.callee.say(rtp(3))
        await it.caller.hears(rtp(3))


async def test_a_plain_phone_that_is_sent_plain_rtp_talks_with_one_that_is_not() -> None:
    phone = SrtpPhone()
    async with call(caller={"phone": phone}) as pair:
        await pair.ring(phone.offer())
        mesh = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        phone.answered(await pair.caller.media.answer_from_mesh(mesh))
        await pair.secured()
        phone.say(rtp(1))
        await pair.callee.phone.hears(rtp(1))
        pair.callee.phone.send(rtp(2))
        await phone.hears(rtp(2))
        plain = pair.caller.media._sections[0].phone
        Phone.send(phone, rtp(3))
        await until(lambda: plain.dropped.get("phone_forged") == 1)


async def test_a_callee_that_encrypts_hears_nothing_before_its_answer() -> None:
    """The nodes connect while it rings: what comes early must not go out in the clear."""
    async with call() as pair:
        mesh = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
        offered = pair.callee.media.secure_offer(await pair.callee.media.offer_from_mesh(mesh), b"")
        pair.callee.phone.listen_to(offered)
        fragment = pair.callee.media.transport_fragment()
        assert fragment is not None
        await pair.caller.media.transport_from_mesh(fragment)
        await pair.secured()
        pair.callee.phone.send(rtp(1))
        leg = pair.callee.media._sections[0].phone
        await until(lambda: leg.dropped.get("phone_before_keys") == 1)
        assert leg.path is None


async def test_an_answer_under_keys_of_nobodys_is_refused_and_the_next_one_is_taken() -> None:
    phone = SrtpPhone()
    async with call(callee={"phone": phone}) as pair:
        mesh = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
        offered = pair.callee.media.secure_offer(await pair.callee.media.offer_from_mesh(mesh), b"")
        good = phone.answer(offered)
        with pytest.raises(MediaRefused, match="was not offered"):
            await pair.callee.media.answer_from_phone(phone.offer())
        pair.caller.phone.listen_to(
            await pair.caller.media.answer_from_mesh(await pair.callee.media.answer_from_phone(good))
        )
        await pair.secured()
        pair.caller.phone.send(rtp(1))
        await phone.hears(rtp(1))
