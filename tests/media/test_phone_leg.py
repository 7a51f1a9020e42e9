"""Between a phone and its node: ports in pairs, known sources only, and a phone may move."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from media.errors import MediaError
from media.phone_leg import PhoneLeg
from media.protocol.phone_side import PhoneMedia

from .call_pair import LOOPBACK, Phone, rtp, sender_report, until


@contextlib.asynccontextmanager
async def leg_and_phones(*allowed: str) -> AsyncIterator[tuple[PhoneLeg, list[bytes], Phone, Phone]]:
    leg = PhoneLeg(LOOPBACK, frozenset(allowed or (LOOPBACK,)))
    await leg.open()
    heard: list[bytes] = []
    leg.sink = heard.append
    phones = [await Phone().open(), await Phone().open()]
    for phone in phones:
        phone.node = (LOOPBACK, leg.port)
    yield leg, heard, phones[0], phones[1]
    await leg.aclose()
    for phone in phones:
        phone.close()


async def test_rtp_has_an_even_port_and_rtcp_the_next_one() -> None:
    async with leg_and_phones() as (leg, heard, phone, _):
        assert leg.port % 2 == 0
        phone.send(rtp(1))
        await until(lambda: heard == [rtp(1)])
        phone.send_rtcp(sender_report())
        await until(lambda: heard == [rtp(1), sender_report()])
        leg.send(sender_report(3))
        async with asyncio.timeout(2):
            assert await phone.heard_rtcp.get() == sender_report(3)


async def test_media_goes_where_the_description_says_until_the_phone_is_heard() -> None:
    async with leg_and_phones() as (leg, heard, named, real):
        leg.send(rtp(0))
        assert leg.dropped == {"phone_address_unknown": 1}
        leg.aim(PhoneMedia(LOOPBACK, named.port, named.rtcp_port, mux=False))
        leg.send(rtp(1))
        await named.hears(rtp(1))
        real.send(rtp(2))
        await until(lambda: heard == [rtp(2)])
        leg.send(rtp(3))
        await real.hears(rtp(3))


async def test_another_port_is_taken_only_after_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    async with leg_and_phones() as (leg, heard, phone, other):
        phone.send(rtp(1))
        await until(lambda: len(heard) == 1)
        other.send(rtp(2))
        await until(lambda: leg.dropped.get("phone_foreign_source") == 1)
        monkeypatch.setattr("media.phone_leg.RELATCH_SECONDS", 0.0)
        other.send(rtp(3))
        await until(lambda: heard == [rtp(1), rtp(3)])
        leg.send(rtp(4))
        await other.hears(rtp(4))


async def test_a_source_that_is_not_allowed_is_neither_heard_nor_sent_to() -> None:
    async with leg_and_phones("192.0.2.1") as (leg, heard, phone, _):
        leg.aim(PhoneMedia(LOOPBACK, phone.port, phone.rtcp_port, mux=False))
        phone.send(rtp(1))
        phone.send_rtcp(sender_report())
        await until(lambda: leg.dropped.get("phone_foreign_source") == 2)
        leg.send(rtp(1))
        assert leg.dropped["phone_address_unknown"] == 1
        assert heard == []


async def test_what_is_not_rtp_is_counted_and_dropped() -> None:
    async with leg_and_phones() as (leg, heard, phone, _):
        for data in (b"x", b"\x00\x01" + bytes(30), rtp(1)[:11], b"\x40" + bytes(20), rtp(1, bytes(1_490))):
            phone.send(data)
        await until(lambda: leg.dropped.get("phone_not_rtp") == 5)
        phone.send_rtcp(rtp(1))
        await until(lambda: leg.dropped.get("phone_not_rtcp") == 1)
        assert heard == []


async def test_a_phone_that_multiplexes_gets_rtcp_where_it_sends_rtp() -> None:
    async with leg_and_phones() as (leg, heard, phone, _):
        leg.aim(PhoneMedia(LOOPBACK, phone.port, phone.port, mux=True))
        phone.send(sender_report())
        await until(lambda: heard == [sender_report()])
        leg.send(sender_report(2))
        await phone.hears(sender_report(2))


async def test_before_there_are_keys_packets_are_counted() -> None:
    async with leg_and_phones() as (leg, _, phone, _other):
        leg.sink = None
        phone.send(rtp(1))
        phone.send_rtcp(sender_report())
        await until(lambda: leg.dropped.get("phone_before_keys") == 2)


async def test_a_host_that_is_not_ours_is_told() -> None:
    with pytest.raises(MediaError, match="no ports left"):
        await PhoneLeg("192.0.2.1", frozenset()).open()
