"""Two nodes' media joined by real ICE, DTLS and SRTP on loopback."""

import asyncio

import pytest

from .call_pair import answered_call, rtp, sender_report


@pytest.mark.parametrize("early", [True, False])
async def test_a_call_is_secured_and_signed_and_both_see_the_same_words(early: bool) -> None:
    async with answered_call(early=early) as pair:
        ours, theirs = await pair.secured()
        assert ours.signed
        assert theirs.signed
        assert ours.words == theirs.words
        assert ours.session_hash == theirs.session_hash
        assert ours.dtls_version == "DTLSv1.2"


async def test_speech_goes_through_bit_exact_both_ways() -> None:
    async with answered_call() as pair:
        for number in range(20):
            packet = rtp(number, bytes([number]) * 160)
            pair.caller.phone.send(packet)
            await pair.callee.phone.hears(packet)
            pair.callee.phone.send(packet)
            await pair.caller.phone.hears(packet)


async def test_rtcp_goes_both_ways() -> None:
    async with answered_call() as pair:
        pair.caller.phone.send_rtcp(sender_report())
        async with asyncio.timeout(2):
            assert await pair.callee.phone.heard_rtcp.get() == sender_report()
        pair.callee.phone.send_rtcp(sender_report(9))
        async with asyncio.timeout(2):
            assert await pair.caller.phone.heard_rtcp.get() == sender_report(9)
