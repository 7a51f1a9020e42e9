"""What the sound of a call is like, told while it talks and once at the end."""

import pytest

from media import quality_watch
from media.events import CallQuality
from media.protocol.quality import clock_rate
from media.protocol.sdp import MediaDescription

from .call_pair import Side, answered_call, rtp, until


def told(side: Side) -> list[CallQuality]:
    return [event for event in side.events if isinstance(event, CallQuality)]


async def test_what_did_not_come_is_told_at_the_end() -> None:
    async with answered_call() as pair:
        for number in (1, 2, 4, 5):
            pair.caller.phone.send(rtp(number))
        await until(lambda: pair.callee.media.statistics().to_phone.packets == 4)
    (last,) = told(pair.callee)
    assert (last.received, last.lost, last.reordered, last.final) == (4, 1, 0, True)
    assert last.mos < 4
    assert (last.far_loss, last.round_trip_ms) == (None, None)


async def test_a_call_that_nobody_spoke_in_has_no_quality() -> None:
    async with answered_call() as pair:
        pass
    assert told(pair.caller) == told(pair.callee) == []


async def test_it_is_told_while_sound_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality_watch, "QUALITY_SECONDS", 0.05)
    async with answered_call() as pair:
        pair.caller.phone.send(rtp(1))
        await until(lambda: bool(told(pair.callee)))
        assert not told(pair.callee)[0].final


async def test_the_far_phones_report_is_read_and_passes() -> None:
    report = bytes.fromhex("81c90007 00000009 00000007 40000000 00000001 00000000 00000000 00000000")
    async with answered_call() as pair:
        pair.caller.phone.send(rtp(1))
        pair.callee.phone.send(rtp(1, ssrc=9))
        pair.callee.phone.send_rtcp(report)
        await until(lambda: pair.caller.media.statistics().to_phone.rtcp_packets == 1)
        await until(lambda: pair.caller.media.statistics().to_phone.packets == 1)
        assert await pair.caller.phone.heard_rtcp.get() == report
    assert told(pair.caller)[-1].far_loss == 0.25


def test_the_clock_is_that_of_the_first_format() -> None:
    lines = ("a=rtpmap:101 telephone-event/8000", "a=rtpmap:96 opus/48000/2")
    assert clock_rate(MediaDescription("audio", 9, "RTP/AVP", "96 101", lines)) == 48_000
    assert clock_rate(MediaDescription("audio", 9, "RTP/AVP", "0 101", lines)) == 8_000
    assert clock_rate(MediaDescription("audio", 9, "RTP/AVP", "96", ("a=rtpmap:96 x/99999999999",))) == 8_000
