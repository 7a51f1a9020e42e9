"""Several phones of one callee: all ring, one call comes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.kit.sip_phone import PhoneCall, SipPhone

from .gateways import nodes

ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"'


@dataclass
class Ringing:
    call: PhoneCall
    phones: list[PhoneCall]


@asynccontextmanager
async def ringing_everywhere(count: int) -> AsyncIterator[Ringing]:
    """Let alice call bob, who has `count` phones; all of them ring."""
    async with nodes("alice", "bob") as (a, b), AsyncExitStack() as stack:
        alice = await stack.enter_async_context(SipPhone("alice", a.phones))
        bobs = [await stack.enter_async_context(SipPhone("bob", b.phones)) for _ in range(count)]
        for bob in bobs:
            assert (await bob.register()).status == 200
        call = await alice.call("sip:bob@mesh")
        phones = [await bob.rung() for bob in bobs]
        await call.response(180)
        yield Ringing(call, phones)
        async with asyncio.timeout(5):
            await a.idle()
            await b.idle()


async def test_the_first_answer_wins_and_the_others_stop_ringing() -> None:
    async with ringing_everywhere(3) as it:
        await it.phones[1].answer()
        for loser in (it.phones[0], it.phones[2]):
            assert await loser.cancelled() == ELSEWHERE
            await loser.say(487)
        assert (await it.call.final()).status == 200
        await it.call.hang_up()
        await it.phones[1].ended()


async def test_two_phones_that_answer_at_the_same_moment_leave_one_call() -> None:
    async with ringing_everywhere(2) as it:
        first, second = it.phones
        await first.say(200, b"v=0\r\na=first\r\n")
        await second.say(200, b"v=0\r\na=second\r\n")
        answer = await it.call.final()
        winner, loser = (first, second) if b"a=first" in answer.body else (second, first)
        assert (await loser.ended()).headers.get("Reason") == ELSEWHERE
        assert loser.transaction is not None
        assert loser.transaction.acked.done()
        await it.call.hang_up()
        await winner.ended()


async def test_a_loser_that_answers_despite_its_cancel_is_hung_up() -> None:
    async with ringing_everywhere(2) as it:
        await it.phones[0].answer()
        await it.phones[1].cancelled()
        await it.phones[1].answer()
        await it.phones[1].ended()
        await it.call.hang_up()
        await it.phones[0].ended()


async def test_all_busy_is_busy() -> None:
    async with ringing_everywhere(2) as it:
        await it.phones[0].say(486)
        await it.phones[1].say(480)
        assert (await it.call.final()).status == 486


async def test_a_decline_stops_every_phone() -> None:
    async with ringing_everywhere(3) as it:
        await it.phones[2].say(603)
        for other in it.phones[:2]:
            await other.cancelled()
            await other.say(487)
        assert (await it.call.final()).status == 603


async def test_a_busy_phone_leaves_the_others_ringing() -> None:
    async with ringing_everywhere(2) as it:
        await it.phones[0].say(486)
        await it.phones[1].answer()
        assert (await it.call.final()).status == 200
        await it.call.hang_up()
        await it.phones[1].ended()


@pytest.mark.parametrize("late", [200, 486])
async def test_the_caller_gives_up_and_each_phone_says_something_else(late: int) -> None:
    async with ringing_everywhere(2) as it:
        await it.call.cancel()
        for phone in it.phones:
            await phone.cancelled()
        await it.phones[0].say(487)
        if late == 200:
            await it.phones[1].answer()
            await it.phones[1].ended()
        else:
            await it.phones[1].say(486)
        assert (await it.call.final()).status == 487


async def test_a_phone_does_not_ring_itself() -> None:
    async with (
        nodes("alice") as (a,),
        SipPhone("alice", a.phones) as desk,
        SipPhone("alice", a.phones) as mobile,
    ):
        await desk.register()
        refused = await (await desk.call("sip:alice@mesh")).final()
        assert (refused.status, refused.reason) == (480, "No other phone of Alice is switched on")
        await mobile.register()
        call = await desk.call("sip:alice@mesh")
        rung = await mobile.rung()
        assert desk.incoming.empty()
        await rung.say(486)
        assert (await call.final()).status == 486
