"""Requests inside a call: hold, resume, glare, INFO, OPTIONS, and those that we do not do."""

from __future__ import annotations

import asyncio

import pytest

from sipgate.calls.refusal import ALLOW, supported
from sipgate.protocol.message import Request, reply
from sipgate.server_transaction import ServerTransaction
from tests.kit.sip_phone import SDP, PhoneCall

from .gateways import pair

HOLD = SDP + b"a=sendonly\r\n"


async def take(call: PhoneCall, method: str) -> ServerTransaction:
    """Wait for a request inside the call."""
    async with asyncio.timeout(5):
        transaction = await call.inside.get()
    assert transaction.request.method == method
    return transaction


async def accept(call: PhoneCall, transaction: ServerTransaction, body: bytes = SDP) -> None:
    response = reply(transaction.request, 200)
    response.headers.add("Contact", call.phone.contact)
    if body:
        response.set_body("application/sdp", body)
    await transaction.respond(response)


async def end(call: PhoneCall, other: PhoneCall) -> None:
    await call.hang_up()
    await other.ended()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("by_caller", [True, False])
async def test_hold_reaches_the_other_phone_and_its_answer_comes_back(method: str, by_caller: bool) -> None:
    async with pair() as it:
        call, rung = await it.talking()
        holds, held = (call, rung) if by_caller else (rung, call)
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(holds.send(method, HOLD))
            transaction = await take(held, method)
            assert transaction.request.body.startswith(HOLD)
            assert b"a=x-caller-offer" in transaction.request.body
            await accept(held, transaction, SDP + b"a=recvonly\r\n")
        assert asked.result().status == 200
        assert asked.result().body.startswith(SDP + b"a=recvonly\r\n")
        if method == "INVITE":
            await transaction.acked
        await end(rung, call)


async def test_a_change_that_is_refused_leaves_the_call_as_it_is() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(call.send("INVITE", HOLD))
            transaction = await take(rung, "INVITE")
            await transaction.respond(reply(transaction.request, 488))
        assert asked.result().status == 488
        assert (await call.send("INVITE", b"v=0\r\nunusable\r\n")).status == 488
        assert (await call.send("INVITE")).status == 488
        assert (await call.send("UPDATE")).status == 200
        await end(call, rung)


async def test_glare_gives_491_to_both() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        async with asyncio.TaskGroup() as tasks:
            one = tasks.create_task(call.send("INVITE", HOLD))
            two = tasks.create_task(rung.send("INVITE", HOLD))
            done, _ = await asyncio.wait((one, two), return_when=asyncio.FIRST_COMPLETED)
            assert {task.result().status for task in done} == {491}
            for end_of_call in (call, rung):  # the one that got through, if one did
                if not end_of_call.inside.empty():
                    await accept(end_of_call, await take(end_of_call, "INVITE"))
        assert 491 in {one.result().status, two.result().status}
        await end(call, rung)


async def test_a_second_change_must_wait_for_the_first() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(call.send("INVITE", HOLD))
            transaction = await take(rung, "INVITE")
            second = await call.send("UPDATE", HOLD)
            assert second.status == 500
            assert second.headers.get("Retry-After")
            assert (await rung.send("INVITE", HOLD)).status == 491
            await accept(rung, transaction)
        await end(call, rung)


async def test_a_change_can_be_taken_back() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        sending = it.alice.endpoint.request(call.inside_request("INVITE", HOLD), it.alice.hop)
        transaction = await take(rung, "INVITE")
        await sending.cancel()
        await transaction.cancelled.wait()
        await transaction.respond(reply(transaction.request, 487))
        assert (await sending.final()).status == 487
        await end(call, rung)


async def test_hanging_up_answers_a_pending_change() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(call.send("INVITE", HOLD))
            await take(rung, "INVITE")
            await rung.hang_up()
            await call.ended()
        assert asked.result().status == 487


async def test_a_phone_that_has_lost_the_call_ends_it() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(call.send("INVITE", HOLD))
            transaction = await take(rung, "INVITE")
            await transaction.respond(reply(transaction.request, 481))
        assert asked.result().status == 481
        await call.ended()


async def test_info_is_passed_on_both_ways() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        for sends, gets in ((call, rung), (rung, call)):
            async with asyncio.TaskGroup() as tasks:
                asked = tasks.create_task(sends.send("INFO", b"Signal=5\r\n", "application/dtmf-relay"))
                transaction = await take(gets, "INFO")
                assert transaction.request.body == b"Signal=5\r\n"
                assert transaction.request.headers.get("Content-Type") == "application/dtmf-relay"
                await accept(gets, transaction, b"")
            assert asked.result().status == 200
        await end(call, rung)


async def test_options_is_answered_inside_and_outside() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        for response in (
            await call.send("OPTIONS"),
            await it.alice.send(it.alice.request("OPTIONS", "sip:mesh")),
        ):
            assert response.status == 200
            assert response.headers.get("Allow") == ALLOW
        await end(call, rung)


@pytest.mark.parametrize(("method", "status"), [("PUBLISH", 405), ("DANCE", 501)])
async def test_what_is_not_done_in_a_call_is_said_so(method: str, status: int) -> None:
    async with pair() as it:
        call, rung = await it.talking()
        response = await call.send(method)
        assert response.status == status
        assert "INVITE" in response.headers.get_all("Allow")
        await end(call, rung)


@pytest.mark.parametrize(("method", "status"), [("PRACK", 405), ("REFER", 405), ("DANCE", 501)])
async def test_what_is_not_done_outside_of_a_call_is_said_so(method: str, status: int) -> None:
    async with pair() as it:
        response = await it.alice.send(it.alice.request(method, "sip:bob@mesh"))
        assert response.status == status
        assert "INVITE" in response.headers.get_all("Allow")


@pytest.mark.parametrize("header", ["Require", "Proxy_Require"])
async def test_an_extension_that_is_required_is_refused_by_name(header: str) -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", SDP, acks=True, **{header: "precondition, gruu"})
        refused = await call.final()
        assert refused.status == 420
        assert refused.headers.get_all("Unsupported") == ["precondition", "gruu"]


async def test_an_extension_that_is_only_supported_does_not_cross() -> None:
    async with pair() as it:
        call = await it.alice.call(
            "sip:bob@mesh",
            Supported="100rel, timer",
            Session_Expires="1800",
            P_Asserted_Identity="<sip:queen@mesh>",
            Route=f"<sip:127.0.0.1:{it.a.phones};lr>",
        )
        rung = await it.bob.rung()
        assert rung.invite is not None
        for name in (
            "P-Asserted-Identity",
            "Route",
            "Record-Route",
            "User-Agent",
        ):
            assert name not in rung.invite.headers
        assert rung.invite.headers.get("Session-Expires") == "180;refresher=uac"  # ours
        assert rung.invite.headers.get("Supported") == supported(by_phones=True)
        await call.cancel()
        await rung.cancelled()
        await rung.say(487)


async def test_a_call_that_has_gone_too_far_is_483() -> None:
    async with pair() as it:
        assert (await (await it.alice.call("sip:bob@mesh", Max_Forwards="0")).final()).status == 483


async def test_a_request_for_no_call_is_481() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        await end(call, rung)
        await it.a.idle()
        assert (await call.send("INFO", b"x", "text/plain")).status == 481


async def test_another_host_or_tag_cannot_touch_the_call() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        forged = call.inside_request("BYE")
        forged.headers.set("From", "<sip:alice@mesh>;tag=guessed")
        assert (await it.alice.endpoint.request(forged, it.alice.hop).final()).status == 481
        late = call.inside_request("BYE")
        late.headers.set("CSeq", "1 BYE")
        assert (await it.alice.endpoint.request(late, it.alice.hop).final()).status == 500
        assert it.a.gateway.calls
        await end(call, rung)


async def test_bye_before_the_answer_is_as_good_as_cancel() -> None:
    async with pair() as it:
        call, rung = await it.ringing()
        ringing = await call.response(180)
        bye = Request("BYE", str(ringing.contacts[0].uri))  # type: ignore[union-attr]
        assert call.sending is not None
        for name in ("From", "Call-ID"):
            bye.headers.add(name, call.sending.request.headers.get(name) or "")
        bye.headers.add("To", ringing.headers.get("To") or "")
        bye.headers.add("CSeq", "99 BYE")
        bye.headers.add("Max-Forwards", "70")
        assert (await it.alice.endpoint.request(bye, it.alice.hop).final()).status == 200
        await rung.cancelled()
        await rung.say(487)
        assert (await call.final()).status == 487


async def test_a_call_can_be_ended_by_the_node() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        (call_id,) = it.a.gateway.calls
        await it.a.gateway.hang_up(call_id, "The owner said so")
        assert (await call.ended()).headers.get("Reason") == 'SIP;cause=200;text="The owner said so"'
        await rung.ended()
