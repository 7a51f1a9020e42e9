"""Two phones of one node that cannot talk directly: each as it needs it, and the same sound at both."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from media.errors import MediaRefused
from media.relay import Relay, RelaySide

from .call_pair import LOOPBACK, Phone, rtp, sender_report, until
from .srtp_phone import SrtpPhone, keys_in

ELSEWHERE = "127.0.0.3"
OFF = b"m=image 0 udptl t38\r\n"


@contextlib.asynccontextmanager
async def relay(*phones: Phone, far_host: str = LOOPBACK) -> AsyncIterator[Relay]:
    made = Relay(
        RelaySide(LOOPBACK, frozenset({LOOPBACK})), RelaySide(far_host, frozenset({LOOPBACK, far_host}))
    )
    for phone in phones:
        await phone.open()
    yield made
    await made.aclose()
    await made.aclose()
    for phone in phones:
        phone.close()


async def test_a_phone_that_encrypts_and_one_that_does_not_hear_each_other() -> None:
    near, far = SrtpPhone(), Phone()
    async with relay(near, far) as it:
        offered = await it.offer_from_phone(near.offer())
        assert b" RTP/AVP " in offered
        assert b"crypto" not in offered
        far.listen_to(offered)
        near.answered(await it.answer_from_mesh(far.sdp()))
        near.say(rtp(1))
        await far.hears(rtp(1))
        far.send(rtp(2))
        await near.hears(rtp(2))
        far.send_rtcp(sender_report())
        assert await near.next_rtcp() == sender_report()


async def test_a_plain_caller_reaches_whichever_of_two_phones_that_encrypt_picks_up() -> None:
    near, kitchen, hall = Phone(), SrtpPhone(), SrtpPhone("AEAD_AES_256_GCM")
    async with relay(near, kitchen, hall) as it:
        offered = await it.offer_from_phone(near.sdp())
        offers = [it.secure_offer(offered, b"") for _ in range(2)]
        assert not {key.key for key in keys_in(offers[0])} & {key.key for key in keys_in(offers[1])}
        kitchen.answer(offers[0])  # and is told that the other one was quicker
        near.listen_to(await it.answer_from_mesh(hall.answer(offers[1])))
        near.send(rtp(1))
        await hall.hears(rtp(1))
        kitchen.say(rtp(2))
        hall.say(rtp(3))
        await near.hears(rtp(3))
        near.send(rtp(30_000))
        await hall.hears(rtp(30_000))
        near.send(rtp(7))  # begins anew, as phones do after hold
        anew = await hall.next()
        assert anew[12:] == rtp(7)[12:]
        assert anew[8:12] != rtp(7)[8:12]


async def test_either_side_holds_and_resumes_under_the_same_keys() -> None:
    near, far = SrtpPhone(), SrtpPhone("AEAD_AES_128_GCM")
    async with relay(near, far) as it:
        offer = it.secure_offer(await it.offer_from_phone(near.offer()), b"")
        near.answered(await it.answer_from_mesh(far.answer(offer)))
        near_inbound, far_keys = near.inbound, keys_in(offer)
        held = await it.offer_from_mesh(far.description((far.keys[0],), direction="sendonly", version=2))
        assert b"a=sendonly" in held
        assert keys_in(held) == keys_in(it.secure_offer(held, b"")), "what is encrypted is left alone"
        taken = await it.answer_from_phone(near.description((near.keys[0],), direction="recvonly"))
        assert b"a=recvonly" in taken
        assert keys_in(taken)[0].key in {key.key for key in far_keys}
        resumed = await it.offer_from_phone(near.offer(version=3))
        assert len(keys_in(resumed)) == 1
        await it.answer_from_mesh(far.description((far.under_the_tag_of(resumed),)))
        near.inbound = near_inbound
        far.say(rtp(1))
        await near.hears(rtp(1))
        near.say(rtp(2))
        await far.hears(rtp(2))


async def test_a_stream_that_comes_later_is_encrypted_too() -> None:
    near, far, more = SrtpPhone(), Phone(), Phone()
    async with relay(near, far, more) as it:
        far.listen_to(await it.offer_from_phone(near.offer()))
        near.answered(await it.answer_from_mesh(far.sdp()))
        video = b"m=video %d RTP/AVP 31\r\n" % more.port
        offered = await it.offer_from_mesh(far.sdp() + video)
        assert b" RTP/AVP" not in offered, "as the first is"
        assert it.secure_offer(offered, b"") == offered
        assert offered.count(b"a=crypto:") == 1 + 4


async def test_what_is_no_sound_or_picture_is_off() -> None:
    near, far = Phone(), Phone()
    async with relay(near, far) as it:
        offered = await it.offer_from_phone(near.sdp() + OFF.replace(b" 0 ", b" 5000 "))
        assert offered.endswith(OFF)
        answered = await it.answer_from_mesh(far.sdp() + OFF)
        assert answered.endswith(OFF)
        with pytest.raises(MediaRefused, match="does not fit"):
            await it.answer_from_mesh(far.sdp())


async def test_each_side_is_told_the_address_that_it_reaches() -> None:
    near, far = Phone(), Phone()
    async with relay(near, far, far_host=ELSEWHERE) as it:
        offered = await it.offer_from_phone(near.sdp())
        assert b"c=IN IP4 127.0.0.3\r\n" in offered
        answered = await it.answer_from_mesh(far.sdp())
        assert b"c=IN IP4 127.0.0.1\r\n" in answered
        far.listen_to(offered)
        far.node = (ELSEWHERE, far.node[1])
        near.listen_to(answered)
        far.send(rtp(1))
        await near.hears(rtp(1))
        near.send(rtp(2))
        await far.hears(rtp(2))


async def test_zrtp_of_two_plain_phones_goes_through() -> None:
    near, far = Phone(), Phone()
    zrtp = b"\x10\x00" + bytes(2) + b"ZRTP" + bytes(20)
    async with relay(near, far) as it:
        far.listen_to(await it.offer_from_phone(near.sdp()))
        near.listen_to(await it.answer_from_mesh(far.sdp()))
        near.send(zrtp)
        await far.hears(zrtp)


async def test_nothing_is_done_when_the_call_is_over() -> None:
    near = Phone()
    async with relay(near) as it:
        await it.offer_from_phone(near.sdp())
        legs = [*it._near.legs.values(), *it._far.legs.values()]
        await it.aclose()
        assert all(leg._sockets == [] for leg in legs)
        with pytest.raises(MediaRefused, match="over"):
            await it.offer_from_phone(near.sdp())
        await until(lambda: it._near.legs == {})
