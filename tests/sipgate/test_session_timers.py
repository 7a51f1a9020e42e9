"""Session timers and keep-alive between phones and their node: real gateways, phones that vanish."""

from __future__ import annotations

import asyncio

import pytest

from sipgate.events import CallEnded
from sipgate.limits import Limits
from sipgate.protocol.message import Request, reply
from tests.kit.sip_phone import PATIENCE, SDP, PhoneCall

from .gateways import Pair, pair

BRIEF = Limits(session_interval=1)


async def asked(call: PhoneCall, status: int = 200, **headers: str) -> Request:
    """Wait for the next request inside a call and answer it."""
    async with asyncio.timeout(PATIENCE):
        transaction = await call.inside.get()
    assert call.dialog is not None
    assert call.dialog.accepts(transaction.request)
    response = reply(transaction.request, status)
    response.headers.add("Contact", call.phone.contact)
    for name, value in headers.items():
        response.headers.add(name.replace("_", "-"), value)
    if transaction.request.body:
        response.set_body("application/sdp", SDP)
    await transaction.respond(response)
    return transaction.request


async def hung_up(call: PhoneCall, other: PhoneCall) -> None:
    assert (await call.hang_up()).status == 200
    await other.ended()


async def test_phones_without_timers_are_asked_by_options_on_both_sides() -> None:
    async with pair(limits=BRIEF) as it:
        call, rung = await it.talking()
        for each in (call, rung):
            for _ in range(2):
                assert (await asked(each)).method == "OPTIONS"
        assert len(it.a.gateway.calls) == 1
        await hung_up(call, rung)


async def test_a_phone_that_does_not_know_options_is_there_all_the_same() -> None:
    async with pair(limits=BRIEF) as it:
        call, rung = await it.talking()
        for _ in range(3):
            await asked(rung, 405)
        assert not rung.bye.done()
        await hung_up(call, rung)


@pytest.mark.parametrize("who", ["caller", "callee"])
async def test_a_phone_that_has_vanished_ends_the_call_at_both_nodes(who: str) -> None:
    async with pair(limits=BRIEF) as it:
        call, rung = await it.talking()
        phone, other = (it.alice, rung) if who == "caller" else (it.bob, call)
        phone.vanish()
        async with asyncio.timeout(10):
            await asyncio.shield(other.bye)
        for node in (it.a, it.b):
            event = await node.event(CallEnded)
            assert isinstance(event, CallEnded)
            assert event.status == 408


async def test_a_phone_that_says_the_call_is_gone_ends_it() -> None:
    async with pair(limits=BRIEF) as it:
        call, rung = await it.talking()
        await asked(rung, 481)
        await call.ended()


async def timed(it: Pair, session_expires: str) -> tuple[PhoneCall, PhoneCall]:
    call = await it.alice.call("sip:bob@mesh", Supported="timer", Session_Expires=session_expires)
    rung = await it.bob.rung()
    await rung.answer()
    await call.response(200)
    return call, rung


async def test_a_caller_with_timers_is_told_who_refreshes() -> None:
    async with pair() as it:
        for asks, gets, requires in (
            ("1800", "180;refresher=uas", []),
            ("1800;refresher=uac", "180;refresher=uac", ["timer"]),
            ("120;refresher=uas", "120;refresher=uas", []),
        ):
            call, rung = await timed(it, asks)
            answer = await call.response(200)
            assert answer.headers.get("Session-Expires") == gets
            assert answer.headers.get_all("Require") == requires
            await hung_up(call, rung)


async def test_an_interval_that_is_too_small_is_refused_with_the_least() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", Supported="timer", Session_Expires="60")
        refused = await call.final()
        assert (refused.status, refused.headers.get("Min-SE")) == (422, "90")


async def test_the_refresh_of_a_phone_is_answered_here_and_not_passed_on() -> None:
    async with pair() as it:
        call, rung = await timed(it, "1800;refresher=uac")
        for method, body in (("UPDATE", b""), ("INVITE", SDP), ("UPDATE", SDP), ("INVITE", b"")):
            request = call.inside_request(method, body)
            request.headers.add("Session-Expires", "180;refresher=uac")
            request.headers.add("Supported", "timer")
            sending = call.phone.endpoint.request(request, call.phone.hop)
            async with asyncio.timeout(PATIENCE):
                response = await sending.final()
            assert response.status == 200, method
            assert response.headers.get("Session-Expires") == "180;refresher=uac"
            assert bool(response.body) is (method == "INVITE" or bool(body))
            if method == "INVITE":
                assert call.dialog is not None
                await call.phone.endpoint.send_ack(call.dialog.make_ack(sending.request), call.phone.hop)
        assert rung.inside.empty()
        await hung_up(call, rung)


@pytest.mark.parametrize(("allow", "method"), [("INVITE, BYE, UPDATE", "UPDATE"), ("INVITE, BYE", "INVITE")])
async def test_we_refresh_in_the_way_that_a_phone_allows(allow: str, method: str) -> None:
    async with pair(limits=BRIEF) as it:
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        assert rung.invite is not None
        assert rung.invite.headers.get("Session-Expires") == "1;refresher=uac"
        await rung.say(200, SDP, Session_Expires="1;refresher=uac", Allow=allow)
        await call.response(200)
        for _ in range(2):
            refresh = await asked(rung, Session_Expires="1;refresher=uac")
            assert refresh.method == method
            assert refresh.headers.get("Session-Expires") == "1;refresher=uac"
            assert bool(refresh.body) is (method == "INVITE")
        assert call.inside.qsize() <= 3  # its own keep-alives only
        await hung_up(rung, call)


async def test_a_phone_that_was_to_refresh_and_does_not_is_gone() -> None:
    async with pair(limits=BRIEF) as it:
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        await rung.say(200, SDP, Session_Expires="1;refresher=uas", Require="timer")
        await call.response(200)
        await rung.ended()
        await call.ended()


async def test_a_callees_phone_that_wants_a_longer_interval_is_asked_again() -> None:
    async with pair() as it:
        it.bob.rings_by_itself = False
        call = await it.alice.call("sip:bob@mesh")
        first = await it.bob.rung()
        await first.say(422, Min_SE="1800")
        second = await it.bob.rung()
        assert first.invite is not None
        assert second.invite is not None
        assert second.invite.headers.get("Session-Expires") == "1800;refresher=uac"
        assert second.invite.call_id == first.invite.call_id
        assert second.invite.cseq.number == first.invite.cseq.number + 1
        await second.answer()
        await call.response(200)
        await hung_up(call, second)


async def test_a_phone_that_wants_an_absurd_interval_is_not_asked_again() -> None:
    async with pair() as it:
        it.bob.rings_by_itself = False
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        await rung.say(422, Min_SE="2000000")
        assert (await call.final()).status == 480
        assert it.bob.incoming.empty()
