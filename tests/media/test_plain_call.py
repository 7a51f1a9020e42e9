"""RTP in the clear between a phone and a plain domain: descriptions, sound both ways, and where RTP may go."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from media.errors import MediaRefused
from media.plain_call import PlainCall

from .call_pair import LOOPBACK, Phone, rtp, until

ELSEWHERE = "127.0.0.3"


def sdp(phone: Phone, *more: str, host: str = LOOPBACK, media: str = "RTP/AVP") -> bytes:
    lines = ["v=0", f"o=bob 42 7 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines += [f"m=audio {phone.port} {media} 0 8", "a=rtpmap:0 PCMU/8000", *more]
    return "".join(f"{line}\r\n" for line in lines).encode()


def port_of(description: bytes, at: int = 0) -> int:
    return int(description.split(b"m=")[at + 1].split()[1])


@contextlib.asynccontextmanager
async def call(
    *, private: bool = True, anonymous: bool = False
) -> AsyncIterator[tuple[PlainCall, Phone, Phone]]:
    made = PlainCall(
        phone_host=LOOPBACK,
        phone_allowed=frozenset({LOOPBACK}),
        far_host=LOOPBACK,
        peer_host=LOOPBACK,
        may_reach=lambda _host: private,
        anonymous=anonymous,
    )
    near, far = await Phone().open(), await Phone().open()
    yield made, near, far
    await made.aclose()
    await made.aclose()
    near.close()
    far.close()


async def test_sound_goes_both_ways_as_it_is() -> None:
    async with call() as (relay, near, far):
        offered = await relay.offer_from_phone(sdp(near))
        answered = await relay.answer_from_mesh(sdp(far))
        near.node, far.node = (LOOPBACK, port_of(answered)), (LOOPBACK, port_of(offered))
        near.send(rtp(1))
        await far.hears(rtp(1))
        far.send(rtp(2))
        await near.hears(rtp(2))
        near.send(b"\x10\x00" + rtp(3)[2:4] + b"ZRTP" + rtp(3)[8:])
        await far.hears(b"\x10\x00" + rtp(3)[2:4] + b"ZRTP" + rtp(3)[8:])


async def test_the_far_side_learns_neither_the_phones_address_nor_its_keys() -> None:
    async with call() as (relay, near, _):
        offered = await relay.offer_from_phone(
            sdp(near, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", "a=ice-ufrag:abcd", host="127.0.0.1")
        )
        assert b"o=- 42 7 IN IP4 127.0.0.1\r\n" in offered
        assert b"bob" not in offered
        assert b"crypto" not in offered
        assert b"ice" not in offered
        assert port_of(offered) != near.port


async def test_either_side_changes_the_session() -> None:
    async with call() as (relay, near, far):
        offered = await relay.offer_from_phone(sdp(near))
        await relay.answer_from_mesh(sdp(far))
        held = await relay.offer_from_mesh(sdp(far, "a=sendonly"))
        assert b"a=sendonly" in held
        taken = await relay.answer_from_phone(sdp(near, "a=recvonly"))
        assert b"a=recvonly" in taken
        assert port_of(taken) == port_of(offered)
        again = await relay.offer_from_phone(sdp(near, "a=sendrecv"))
        assert port_of(again) == port_of(offered)


async def test_a_far_side_cannot_aim_us_at_an_address_that_is_not_allowed() -> None:
    """It says 127.0.0.3, as one behind a NAT may: RTP goes only where its own comes from, beside its signalling."""
    async with call(private=False) as (relay, near, far):
        offered = await relay.offer_from_phone(sdp(near))
        answered = await relay.answer_from_mesh(sdp(far, host=ELSEWHERE))
        near.node, far.node = (LOOPBACK, port_of(answered)), (LOOPBACK, port_of(offered))
        near.send(rtp(1))
        leg = relay._far.legs[0]
        await until(lambda: leg.dropped == {"phone_address_unknown": 1})
        far.send(rtp(2))
        await near.hears(rtp(2))
        near.send(rtp(3))
        await far.hears(rtp(3))


async def test_encryption_that_only_the_far_side_knows_is_refused_in_its_name() -> None:
    async with call() as (relay, near, far):
        await relay.offer_from_phone(sdp(near))
        with pytest.raises(MediaRefused, match="The other side"):
            await relay.answer_from_mesh(sdp(far, media="RTP/SAVP"))


@pytest.mark.parametrize("answer", [b"", b"v=0\r\n", b"v=0\r\nm=video 9 RTP/AVP 31\r\n"])
async def test_an_answer_that_fits_nothing_is_refused(answer: bytes) -> None:
    async with call() as (relay, near, _):
        await relay.offer_from_phone(sdp(near))
        with pytest.raises(MediaRefused):
            await relay.answer_from_mesh(answer)


async def test_a_section_that_was_off_cannot_be_answered() -> None:
    async with call() as (relay, near, far):
        off = b"m=video 0 RTP/AVP 31\r\n"
        await relay.offer_from_phone(sdp(near) + off)
        with pytest.raises(MediaRefused, match="does not fit"):
            await relay.answer_from_mesh(sdp(far) + b"m=video 9000 RTP/AVP 31\r\n")


async def test_nothing_is_done_when_the_call_is_over() -> None:
    async with call() as (relay, near, _):
        await relay.aclose()
        with pytest.raises(MediaRefused, match="over"):
            await relay.offer_from_phone(sdp(near))
