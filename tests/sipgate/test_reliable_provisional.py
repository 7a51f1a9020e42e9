"""PRACK between phones and their node, through two real gateways."""

from __future__ import annotations

import asyncio

import pytest

from sipgate.protocol.dialog import Dialog
from sipgate.protocol.message import Response, reply
from tests.kit.sip_phone import PATIENCE, SDP, PhoneCall

from .gateways import pair

EARLY = SDP.replace(b"20000", b"20002")
LATER = SDP.replace(b"20000", b"20008")


async def prack(call: PhoneCall, response: Response, body: bytes = b"", rack: str | None = None) -> Response:
    if call.dialog is None:
        assert call.sending is not None
        call.dialog = Dialog.as_uac(call.sending.request, response)
    request = call.inside_request("PRACK", body)
    request.headers.add("RAck", rack or f"{response.headers.get('RSeq')} {response.cseq}")
    async with asyncio.timeout(PATIENCE):
        return await call.phone.endpoint.request(request, call.phone.hop).final()


async def confirm(call: PhoneCall, status: int) -> Response:
    """Wait for a reliable response and confirm it."""
    response = await call.response(status)
    assert response.headers.get_all("Require") == ["100rel"]
    assert (await prack(call, response)).status == 200
    return response


async def test_early_media_is_confirmed_by_the_callers_phone() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="100rel")
        rung = await it.bob.rung()
        assert "Require" not in (await call.response(180)).headers
        await rung.say(183, EARLY)
        assert b"20002" in (await confirm(call, 183)).body
        await rung.answer(EARLY)
        await call.response(200)
        await call.hang_up()
        await rung.ended()


async def test_a_phone_that_insists_confirms_everything_in_order() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Require="100rel")
        rung = await it.bob.rung()
        await rung.say(183, EARLY)
        first = await confirm(call, 180)
        second = await confirm(call, 183)
        assert int(second.headers.get("RSeq") or "") == int(first.headers.get("RSeq") or "") + 1
        await rung.answer(EARLY)
        await call.response(200)
        await call.hang_up()
        await rung.ended()


async def test_the_answer_waits_until_the_early_one_is_confirmed() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="100rel")
        rung = await it.bob.rung()
        await rung.say(183, EARLY)
        early = await call.response(183)
        await rung.answer(EARLY)
        assert (await call.repeated(183)).headers.get("RSeq") == early.headers.get("RSeq")
        assert all(each.status < 200 for each in call.responses)
        await prack(call, early)
        await call.response(200)
        await call.hang_up()
        await rung.ended()


async def test_a_callee_who_hangs_up_before_it_is_confirmed_ends_the_call() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="100rel")
        rung = await it.bob.rung()
        await rung.say(183, EARLY)
        await call.response(183)
        await rung.answer(EARLY)
        await rung.hang_up()
        assert (await call.final()).status >= 400


async def test_a_caller_who_gives_up_before_it_is_confirmed_is_let_go() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="100rel")
        rung = await it.bob.rung()
        await rung.say(183, EARLY)
        await call.response(183)
        await call.cancel()
        assert (await call.final()).status == 487
        await rung.cancelled()
        await rung.say(487)


@pytest.mark.parametrize("rack", ["1 1 INVITE", "x", ""])
async def test_a_prack_for_nothing_is_refused(rack: str) -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="100rel")
        rung = await it.bob.rung()
        await rung.say(183, EARLY)
        early = await call.response(183)
        assert (await prack(call, early, rack=rack or " ")).status in (400, 481)
        await prack(call, early)
        await rung.answer(EARLY)
        await call.response(200)
        await call.hang_up()
        await rung.ended()


async def test_an_offer_in_a_prack_is_answered_and_passed_on_after_the_call_stands() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="100rel")
        rung = await it.bob.rung()
        await rung.say(183, EARLY)
        early = await call.response(183)
        answered = await prack(call, early, LATER)
        assert (answered.status, b"20002" in answered.body) == (200, True)
        await rung.answer(EARLY)
        await call.response(200)
        async with asyncio.timeout(PATIENCE):
            update = await rung.inside.get()
        assert update.request.method == "UPDATE"
        assert b"20008" in update.request.body
        response = reply(update.request, 200)
        response.set_body("application/sdp", EARLY)
        await update.respond(response)
        await call.hang_up()
        await rung.ended()


async def test_another_kind_of_session_in_a_prack_is_declined_in_its_answer() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="100rel")
        rung = await it.bob.rung()
        await rung.say(183, EARLY)
        early = await call.response(183)
        answered = await prack(call, early, LATER + b"m=video 20010 RTP/AVP 96\r\n")
        assert answered.status == 200
        assert b"m=audio 0 " in answered.body
        assert b"m=video 0 " in answered.body
        await rung.answer(EARLY)
        await call.response(200)
        await call.hang_up()
        await rung.ended()


async def test_a_callees_phone_that_wants_its_ringing_confirmed_gets_pracks() -> None:
    async with pair() as it:
        it.bob.rings_by_itself = False
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        assert rung.invite is not None
        assert "100rel" in rung.invite.headers.get_all("Supported")
        for rseq, (status, sdp) in enumerate([(180, b""), (183, EARLY)], 41):
            for _ in range(2):  # the second is a repetition
                await rung.say(status, sdp, Require="100rel", RSeq=str(rseq))
            async with asyncio.timeout(PATIENCE):
                got = await rung.inside.get()
            assert got.request.method == "PRACK"
            assert got.request.headers.get("RAck") == f"{rseq} 1 INVITE"
            assert rung.dialog is not None
            assert rung.dialog.accepts(got.request)
            await got.respond(reply(got.request, 200))
            await call.response(status)
        assert b"20002" in (await call.response(183)).body
        await rung.answer(b"")  # its answer was in the 183
        assert b"20002" in (await call.response(200)).body
        assert rung.inside.empty()
        assert (await rung.send("INFO", b"x", "text/plain")).status != 481
        await call.hang_up()
        await rung.ended()


async def test_nodes_do_not_ask_each_other_for_it() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="100rel")
        rung = await it.bob.rung()
        (leg,) = [each for each in it.b.gateway._node.dialogs._legs.values() if each.side == "mesh"]  # type: ignore[attr-defined]
        assert "100rel" not in str(leg._transaction.request.headers)  # type: ignore[attr-defined]
        await call.cancel()
        await rung.cancelled()
        await rung.say(487)
