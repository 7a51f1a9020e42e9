"""Transfers as a call sees them: passed on or carried out, one at a time; a leg that is lent is left alone."""

from dataclasses import replace

from sipgate.calls.cause import Cause
from sipgate.calls.leg import HungUp, Reply
from sipgate.ports import Refusal
from sipgate.protocol.b2bua import State
from sipgate.protocol.refer import Refer
from sipgate.protocol.uri import Uri

from .test_call import scene, settled

CAROL = Refer(Uri.parse("sip:carol@127.0.0.1"))


async def test_a_phones_transfer_is_passed_on_to_the_other_node_in_its_users_name() -> None:
    async with scene() as it:
        await it.established()
        assert (await it.call.refer(it.a, CAROL)).status == 202
        assert it.b[0].log[-1] == "refer <sip:carol@mesh> by sip:alice@mesh"


async def test_what_the_other_node_reports_reaches_the_phone_and_the_end_makes_room_for_the_next() -> None:
    async with scene() as it:
        await it.established()
        await it.call.refer(it.a, CAROL)
        assert (await it.call.refer(it.a, CAROL)).status == 491
        for status in (180, 486):
            await it.call.reported(it.b[0], status, "x")
        assert it.a.log[-2:] == ["report 180 x", "report 486 x"]
        assert it.exchange.told == []
        assert (await it.call.refer(it.a, CAROL)).status == 202
        await it.call.reported(it.b[0], 200, "OK")
        assert it.exchange.told == ["sip:carol@mesh"]


async def test_a_report_that_nobody_waits_for_is_left() -> None:
    async with scene() as it:
        await it.established()
        await it.call.reported(it.b[0], 200, "OK")
        assert "report" not in " ".join(it.a.log)


async def test_a_refusal_is_told_and_nothing_is_under_way() -> None:
    async with scene() as it:
        await it.established()
        it.exchange.refuses = Refusal(404, "no such name")
        assert await it.call.refer(it.a, CAROL) == Reply(404, "no such name")
        it.exchange.refuses = None
        it.b[0].answers_refer = Reply(603, "no")
        assert (await it.call.refer(it.a, CAROL)).status == 603
        it.b[0].answers_refer = Reply(202, "Accepted")
        assert (await it.call.refer(it.a, replace(CAROL, wants_reports=False))).status == 202


async def test_a_leg_that_is_lent_is_joined_with_nothing_and_not_hung_up() -> None:
    async with scene() as it:
        await it.established()
        assert it.call.joined() == ((it.a, it.b[0]), (it.b[0], it.a))
        it.call.lend(it.a)
        assert it.call.joined() == ()
        assert it.call.other(it.b[0]) is None
        assert (await it.call.reoffer(it.b[0], "INVITE", b"x")).status == 491
        it.b[0].hangs_up()
        await it.call.wait_ended()
        await settled()
        assert not any(line.startswith("bye") for line in it.a.log)
        assert it.call.state is State.OVER
        assert (it.a.closed, it.b[0].closed) == (0, 1)
        it.a.closed = 1  # by the call that has it


async def test_a_leg_that_is_taken_back_is_the_calls_own_again() -> None:
    async with scene() as it:
        await it.established()
        it.call.lend(it.a)
        it.call.take_back(it.a)
        assert it.call.other(it.b[0]) is it.a
        it.call.post(HungUp(it.b[0], Cause(200, "bye")))
        await it.call.wait_ended()
        await settled()
        assert it.a.log[-1] == "bye 200"
    assert it.a.closed == 1


async def test_only_a_call_that_stands_can_be_transferred() -> None:
    async with scene() as it:
        await it.established()
        it.a.hangs_up()
        await it.call.wait_ended()
        assert (await it.call.refer(it.b[0], CAROL)).status == 487
