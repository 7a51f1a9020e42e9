"""Phones that do ZRTP, through two nodes: untouched, unseen on the way, told once."""

from media.events import PhonesSecureThemselves
from media.zrtp_relay import MAX_WAITING

from .call_pair import answered_call, rtp, until
from .protocol.test_zrtp import zrtp


async def test_zrtp_passes_both_ways_as_it_is() -> None:
    hello, last = zrtp(), zrtp(b"Conf2ACK", b"")
    async with answered_call() as pair:
        pair.caller.phone.send(hello)
        await pair.callee.phone.hears(hello)
        pair.callee.phone.send(hello)
        await pair.caller.phone.hears(hello)
        for side in (pair.caller, pair.callee):
            assert not [event for event in side.events if isinstance(event, PhonesSecureThemselves)]
        for _ in range(2):
            pair.callee.phone.send(last)
            await pair.caller.phone.hears(last)
        pair.caller.phone.send(rtp(1))
        await pair.callee.phone.hears(rtp(1))
    for side in (pair.caller, pair.callee):
        assert sum(isinstance(event, PhonesSecureThemselves) for event in side.events) == 1


async def test_a_phone_that_floods_is_cut_short() -> None:
    async with answered_call() as pair:
        for _ in range(4 * MAX_WAITING):
            pair.caller.phone.send(zrtp())
        await until(lambda: pair.caller.media.statistics().drops.get("zrtp_flood", 0) > MAX_WAITING)


async def test_zrtp_from_elsewhere_does_not_pass() -> None:
    async with answered_call() as pair:
        pair.caller.phone.send(rtp(1))
        await pair.callee.phone.hears(rtp(1))
        pair.callee.phone.node = pair.caller.phone.node
        pair.callee.phone.send(zrtp())
        await until(lambda: pair.caller.media.statistics().drops.get("phone_foreign_source") == 1)
