"""A phone that encrypts up to its node, in a call through two nodes with one that does not."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator

import pytest

from media.aiortc_adapter.srtp import SUITES, Srtp
from media.errors import MediaRefused
from media.protocol.sdes import KEY_AND_SALT_BYTES, Crypto, usable

from .call_pair import Pair, Phone, call, rtp, sender_report, until


class SrtpPhone:
    """Encrypts and decrypts beside a plain phone of the tests."""

    def __init__(self, phone: Phone, suite: str, fill: int = 9) -> None:
        self.phone = phone
        self.key = Crypto(1, suite, bytes([fill]) * KEY_AND_SALT_BYTES[suite])
        self.out = Srtp(SUITES[suite], self.key.key, outbound=True)
        self.into: Srtp | None = None
        self.nodes_key: Crypto | None = None

    def sdp(self, tag: int = 1, **options: int) -> bytes:
        """Return its description, as an offer or as the answer to the offered key of that tag."""
        key = Crypto(tag, self.key.suite, self.key.key)
        plain = self.phone.sdp(**options)  # type: ignore[arg-type]
        return plain.replace(b"RTP/AVP", b"RTP/SAVP") + key.line().encode() + b"\r\n"

    def told(self, sdp: bytes) -> int:
        """Take the node's key for the suite from its description; return the tag."""
        values = re.findall(r"a=crypto:(.*)\r\n", sdp.decode())
        own = next(each for each in usable(values) if each.suite == self.key.suite)
        self.nodes_key, self.into = own, Srtp(SUITES[own.suite], own.key, outbound=False)
        return own.tag

    def seal(self, packet: bytes) -> bytes:
        """Encrypt."""
        sealed = self.out.process(packet)
        assert sealed is not None
        return sealed

    async def hears(self, packet: bytes, *, rtcp: bool = False) -> None:
        """Wait until exactly that comes next, encrypted."""
        queue = self.phone.heard_rtcp if rtcp else self.phone.heard
        async with asyncio.timeout(3):
            sealed = await queue.get()
        assert packet[12:] not in sealed
        assert self.into is not None
        assert self.into.process(sealed) == packet


@contextlib.asynccontextmanager
async def offering(suite: str = "AEAD_AES_256_GCM") -> AsyncIterator[tuple[Pair, SrtpPhone]]:
    """The caller's phone encrypts."""
    async with call() as pair:
        phone = SrtpPhone(pair.caller.phone, suite)
        await pair.ring(phone.sdp())
        mesh = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        answer = await pair.caller.media.answer_from_mesh(mesh)
        pair.caller.phone.listen_to(answer)
        assert b" RTP/SAVP " in answer
        assert phone.told(answer) == 1
        await pair.secured()
        yield pair, phone


@contextlib.asynccontextmanager
async def offered(suite: str = "AES_CM_128_HMAC_SHA1_80") -> AsyncIterator[tuple[Pair, SrtpPhone]]:
    """The callee's phone has to encrypt."""
    async with call() as pair:
        mesh = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
        offer = pair.callee.media.secure_offer(await pair.callee.media.offer_from_mesh(mesh), b"")
        pair.callee.phone.listen_to(offer)
        phone = SrtpPhone(pair.callee.phone, suite)
        await pair.answer(phone.sdp(phone.told(offer)))
        await pair.secured()
        yield pair, phone


@pytest.mark.parametrize("suite", KEY_AND_SALT_BYTES)
async def test_sound_and_reports_pass_both_ways_under_each_suite(suite: str) -> None:
    async with offering(suite) as (pair, phone):
        for number in (1, 2, 3):
            pair.caller.phone.send(phone.seal(rtp(number)))
            await pair.callee.phone.hears(rtp(number))
            pair.callee.phone.send(rtp(number, ssrc=9))
            await phone.hears(rtp(number, ssrc=9))
        pair.caller.phone.send_rtcp(phone.seal(sender_report()))
        async with asyncio.timeout(3):
            assert await pair.callee.phone.heard_rtcp.get() == sender_report()
        pair.callee.phone.send_rtcp(sender_report(9))
        await phone.hears(sender_report(9), rtcp=True)


async def test_a_phone_that_is_called_chooses_one_of_the_keys() -> None:
    async with offered() as (pair, phone):
        pair.callee.phone.send(phone.seal(rtp(1, ssrc=9)))
        await pair.caller.phone.hears(rtp(1, ssrc=9))
        pair.caller.phone.send(rtp(1))
        await phone.hears(rtp(1))


async def test_what_is_plain_forged_repeated_or_under_another_key_goes_nowhere() -> None:
    async with offering() as (pair, phone):
        good = phone.seal(rtp(1))
        stranger = SrtpPhone(pair.caller.phone, phone.key.suite, fill=8)
        for packet in (rtp(5), good[:-1] + bytes([good[-1] ^ 1]), stranger.seal(rtp(6)), good, good):
            pair.caller.phone.send(packet)
        pair.caller.phone.send_rtcp(sender_report())
        await pair.callee.phone.hears(rtp(1))
        await until(lambda: pair.caller.media.statistics().drops.get("phone_repeated") == 1)
        await until(lambda: pair.caller.media.statistics().drops.get("phone_forged") == 4)
        assert pair.callee.phone.heard.empty()
        assert pair.callee.phone.heard_rtcp.empty()


async def test_nothing_of_the_keys_is_in_what_goes_to_the_mesh() -> None:
    async with call() as pair:
        phone = SrtpPhone(pair.caller.phone, "AEAD_AES_128_GCM")
        mesh = await pair.caller.media.offer_from_phone(phone.sdp())
        assert b"a=crypto" not in mesh
        pair.callee.media.secure_offer(await pair.callee.media.offer_from_mesh(mesh), b"")
        answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
        assert b"crypto" not in answer


async def test_a_hold_by_the_far_side_goes_on_under_the_same_keys() -> None:
    async with offering() as (pair, phone):
        pair.callee.phone.send(rtp(1, ssrc=9))
        await phone.hears(rtp(1, ssrc=9))
        for version, direction in ((2, "sendonly"), (3, "sendrecv")):
            change = pair.callee.phone.sdp(direction=direction, version=version)
            mesh = await pair.callee.media.offer_from_phone(change)
            offer = await pair.caller.media.offer_from_mesh(mesh)
            assert b" RTP/SAVP " in offer
            (key,) = usable(re.findall(r"a=crypto:(.*)\r\n", offer.decode()))
            assert key == phone.nodes_key
            back = await pair.caller.media.answer_from_phone(phone.sdp(key.tag, version=version))
            await pair.callee.media.answer_from_mesh(back)
        pair.callee.phone.send(rtp(2, ssrc=9))
        await phone.hears(rtp(2, ssrc=9))
        pair.caller.phone.send(phone.seal(rtp(1)))
        await pair.callee.phone.hears(rtp(1))


async def test_the_phone_may_not_go_on_in_the_clear() -> None:
    async with offering() as (pair, phone):
        with pytest.raises(MediaRefused, match="stopped to encrypt"):
            await pair.caller.media.offer_from_phone(pair.caller.phone.sdp(version=2))
        mesh = await pair.callee.media.offer_from_phone(pair.callee.phone.sdp(version=2))
        await pair.caller.media.offer_from_mesh(mesh)
        with pytest.raises(MediaRefused, match="stopped to encrypt"):
            await pair.caller.media.answer_from_phone(pair.caller.phone.sdp(version=2))
        pair.caller.phone.send(phone.seal(rtp(1)))
        await pair.callee.phone.hears(rtp(1))
