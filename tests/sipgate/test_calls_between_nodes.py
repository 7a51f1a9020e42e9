"""Phone, node, node, phone: the whole path over real sockets, and every way in which it can end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

import pytest

from sipgate.events import CallEnded, CallMissed, CallRefused, CallStarted
from sipgate.limits import Limits
from sipgate.ports import Refusal
from tests.kit.sip_phone import SDP, SipPhone

from .gateways import nodes, pair, user


async def test_a_call_from_dialling_to_hanging_up() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        ringing = await call.response(180)
        assert ringing.headers.get("P-Asserted-Identity") == '"Bob · same key" <sip:bob@mesh>'
        assert rung.invite is not None
        assert rung.invite.from_.display_name == "Alice · same key"
        assert rung.invite.max_forwards == 68
        assert rung.offer.startswith(SDP)
        assert b"a=x-caller-offer-out" in rung.offer
        assert b"a=x-callee-offer-in" in rung.offer
        await rung.answer()
        answer = await call.final()
        assert answer.status == 200
        assert b"a=x-callee-answer-out" in answer.body
        assert b"a=x-caller-answer-in" in answer.body
        assert (await call.hang_up()).status == 200
        await rung.ended()
    assert it.a.names() == it.b.names() == ["Started", "Ringing", "Answered", "Ended"]
    started = [event for event in (*it.a.events, *it.b.events) if isinstance(event, CallStarted)]
    assert started[0].call_id == started[1].call_id
    assert [each.direction for each in started] == ["out", "in"]
    assert it.a.events[-1] == CallEnded(started[0].call, "phone", "hung up", 200)
    assert it.b.events[-1] == CallEnded(started[1].call, "peer", "hung up", 200)


async def test_the_callees_node_learns_who_calls() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        await call.hang_up()
        await rung.ended()
    caller = it.book.admitted[0]
    assert caller.uri == "sip:alice@mesh"
    assert caller.called_uri == "sip:bob@mesh"
    assert caller.node_public_key == it.a.public_key
    assert (caller.openpgp_key, caller.delegation) == (b"key of alice", b"delegation")
    assert caller.display_name == "Alice"


async def test_the_callee_hangs_up() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        assert (await rung.hang_up()).status == 200
        assert (await call.ended()).headers.get("Reason") == 'SIP;cause=200;text="hung up"'
    assert isinstance(it.a.events[-1], CallEnded)
    assert it.a.events[-1].by == "peer"


@pytest.mark.parametrize(
    "dialled", ["sip:bob", "sip:BOB@mesh", "sip:bob@mesh;user=phone", "sip:bob@127.0.0.1"]
)
async def test_every_form_of_a_name_rings(dialled: str) -> None:
    async with pair() as it:
        call = await it.alice.call(dialled)
        rung = await it.bob.rung()
        await call.cancel()
        await rung.cancelled()
        await rung.say(487)


async def test_refusals_come_at_once_and_in_words() -> None:
    async with pair() as it:
        refused = await (await it.alice.call("sip:nobody@mesh")).final()
        assert (refused.status, refused.reason) == (404, "Nobody is called nobody@mesh")
        assert refused.headers.get("Reason") == 'SIP;cause=404;text="Nobody is called nobody@mesh"'

        it.book.refusals["sip:bob@mesh"] = Refusal(
            403, "Another key than before", warning="Somebody else may pose as bob"
        )
        refused = await (await it.alice.call("sip:bob@mesh")).final()
        assert refused.status == 403
        assert refused.headers.get("Warning") == '399 mesh "Somebody else may pose as bob"'

        choices = ("sip:bob@" + "a" * 32 + ".mesh", "sip:bob@" + "b" * 32 + ".mesh")
        it.book.refusals["sip:bob@mesh"] = Refusal(300, "Two people are called bob", alternatives=choices)
        refused = await (await it.alice.call("sip:bob@mesh")).final()
        assert refused.status == 300
        assert [str(contact.uri) for contact in refused.contacts if not isinstance(contact, str)] == list(
            choices
        )
    assert [event.status for event in it.a.events if isinstance(event, CallRefused)] == [404, 403, 300]


async def test_a_callee_without_a_phone_is_told_at_once() -> None:
    async with nodes("alice", "bob") as (a, _), SipPhone("alice", a.phones) as alice:
        refused = await (await alice.call("sip:bob@mesh")).final()
        assert (refused.status, refused.reason) == (480, "No phone of Bob is switched on")


async def test_an_unknown_callee_at_the_other_node_is_404() -> None:
    async with pair() as it:
        it.book.peers["sip:carol@mesh"] = it.book.peers["sip:bob@mesh"]
        refused = await (await it.alice.call("sip:carol@mesh")).final()
        assert (refused.status, refused.reason) == (404, "Nobody here has this name")


async def test_a_caller_that_is_not_admitted_does_not_ring() -> None:
    async with pair() as it:
        it.book.turned_away["sip:alice@mesh"] = Refusal(403, "The key of alice has changed")
        refused = await (await it.alice.call("sip:bob@mesh")).final()
        assert (refused.status, refused.reason) == (403, "The key of alice has changed")
        assert it.bob.incoming.empty()


async def test_a_node_that_cannot_be_reached_is_480() -> None:
    async with pair() as it:
        peer = it.book.peers["sip:bob@mesh"]
        it.book.peers["sip:bob@mesh"] = replace(peer, endpoints=(("127.0.0.1", 9),))
        assert (await (await it.alice.call("sip:bob@mesh")).final()).status == 480
        it.book.peers["sip:bob@mesh"] = replace(peer, endpoints=())
        assert (await (await it.alice.call("sip:bob@mesh")).final()).reason == "Bob is known, but away now"


async def test_another_node_at_the_address_gets_no_byte_of_the_call() -> None:
    async with pair() as it:
        it.book.peers["sip:bob@mesh"] = replace(
            it.book.peers["sip:bob@mesh"], node_public_key=it.a.public_key
        )
        assert (await (await it.alice.call("sip:bob@mesh")).final()).status == 480
        assert not it.book.admitted


async def test_the_next_address_is_tried_when_one_is_dead() -> None:
    async with pair() as it:
        peer = it.book.peers["sip:bob@mesh"]
        it.book.peers["sip:bob@mesh"] = replace(peer, endpoints=(("127.0.0.1", 9), *peer.endpoints))
        call, rung = await it.talking()
        await call.hang_up()
        await rung.ended()


async def test_cancel_while_ringing() -> None:
    async with pair() as it:
        call, rung = await it.ringing()
        await call.cancel()
        assert await rung.cancelled() == 'SIP;cause=487;text="changed my mind"'
        await rung.say(487)
        assert (await call.final()).status == 487
    assert isinstance(it.a.events[-1], CallEnded)
    ended, missed = it.b.events[-2:]
    assert isinstance(ended, CallEnded)
    assert (ended.by, ended.status) == ("peer", 487)
    assert isinstance(missed, CallMissed)
    assert (missed.user, missed.peer, missed.trust) == ("bob", "sip:alice@mesh", "pinned")


async def test_cancel_while_the_callee_is_looked_up() -> None:
    async with pair() as it:
        it.book.hold = asyncio.Event()
        call = await it.alice.call("sip:bob@mesh")
        await it.book.resolving.wait()
        await call.response(100)
        await call.cancel()
        assert (await call.final()).status == 487
    assert it.a.names() == ["Ended"]


async def test_an_answer_that_crosses_the_cancel_is_hung_up() -> None:
    async with pair() as it:
        call, rung = await it.ringing()
        await call.cancel()
        await rung.cancelled()
        await rung.answer()
        assert (await rung.ended()).headers.get("Reason") == 'SIP;cause=487;text="Call cancelled"'
        assert (await call.final()).status == 487


async def test_cancel_that_comes_after_the_answer_changes_nothing() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        await call.cancel()
        assert (await call.send("OPTIONS")).status == 200
        await rung.hang_up()
        await call.ended()


@pytest.mark.parametrize(
    ("status", "heard"), [(486, 486), (603, 603), (404, 404), (302, 480), (401, 480), (503, 503)]
)
async def test_the_phones_refusal_reaches_the_caller(status: int, heard: int) -> None:
    async with pair() as it:
        call, rung = await it.ringing()
        await rung.say(status)
        refused = await call.final()
        assert refused.status == heard
        assert (refused.headers.get("Reason") or "").startswith(f"SIP;cause={heard};text=")
    assert isinstance(it.a.events[-1], CallRefused)


async def test_words_of_the_callees_phone_reach_the_caller() -> None:
    async with pair() as it:
        call, rung = await it.ringing()
        await rung.say(480, reason="Gone fishing\x07")
        assert (await call.final()).reason == "Gone fishing"


async def test_nobody_answers() -> None:
    async with pair(limits=Limits(ring_timeout=0.3)) as it:
        call, rung = await it.ringing()
        assert await rung.cancelled() == 'SIP;cause=480;text="Nobody answered in time"'
        await rung.say(487)
        refused = await call.final()
        assert (refused.status, refused.reason) == (480, "Nobody answered in time")


async def test_a_phone_that_is_registered_but_dead_is_480() -> None:
    async with nodes("alice", "bob") as (a, b), SipPhone("alice", a.phones) as alice:
        async with SipPhone("bob", b.phones) as bob:
            await bob.register()
        refused = await (await alice.call("sip:bob@mesh")).final()
        assert (refused.status, refused.reason) == (480, "The phone that was called cannot be reached")


async def test_early_media_is_passed_on() -> None:
    async with pair() as it:
        it.bob.rings_by_itself = False
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        await rung.say(183, SDP)
        early = await call.response(183)
        assert b"a=x-caller-answer-in" in early.body
        await rung.answer()
        assert (await call.response(200)).body == early.body
        await call.hang_up()
        await rung.ended()
    assert it.b.names() == ["Started", "Answered", "Ended"]


async def test_a_known_caller_gets_our_transport_while_it_rings() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        assert it.a.media.opened[0].taken == [b"a=ice-ufrag:test\r\n"]
        assert it.b.media.opened[0].taken == []
        await call.hang_up()
        await rung.ended()


async def test_strangers_exchange_transports_after_the_answer_only() -> None:
    async with pair() as it:
        for uri, peer in list(it.book.peers.items()):
            it.book.peers[uri] = replace(peer, known=False, trust="new")
        call, rung = await it.ringing()
        assert it.a.media.opened[0].taken == []
        assert rung.invite is not None
        assert rung.invite.from_.display_name == "Alice · new person"
        await rung.answer()
        await call.final()
        await call.hang_up()
        await rung.ended()
        assert it.b.media.opened[0].taken == [b"a=ice-ufrag:test\r\n"]


async def test_media_that_cannot_be_served_is_refused_with_488() -> None:
    async with pair() as it:
        refused = await (await it.alice.call("sip:bob@mesh", b"v=0\r\nunusable\r\n")).final()
        assert (refused.status, refused.reason) == (488, "No codec in common")
        call, rung = await it.ringing()
        await rung.answer(b"v=0\r\nunusable\r\n")
        assert (await call.final()).status == 488
        await rung.ended()


async def test_failed_media_ends_the_call_for_both_with_its_reason() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        it.b.media.opened[0].failure.set_result((504, "Nothing was heard for too long"))
        for end in (call, rung):
            assert (await end.ended()).headers.get(
                "Reason"
            ) == 'SIP;cause=504;text="Nothing was heard for too long"'
    assert isinstance(it.b.events[-1], CallEnded)
    assert it.b.events[-1].by == "node"


async def test_a_caller_that_never_confirms_is_hung_up() -> None:
    async with pair() as it:
        call = await it.alice.call("sip:bob@mesh", acks=False)
        rung = await it.bob.rung()
        await rung.answer()
        await rung.ended()
        await call.ended()
    assert isinstance(it.a.events[-1], CallEnded)
    assert it.a.events[-1].status == 408


async def test_a_delayed_offer_is_refused_with_a_sentence() -> None:
    async with pair() as it:
        refused = await (await it.alice.call("sip:bob@mesh", b"")).final()
        assert refused.status == 488
        assert "without SDP" in refused.reason


async def test_a_wrong_secret_is_403_at_once() -> None:
    async with pair() as it, SipPhone("alice", it.a.phones, secret="guess") as thief:
        refused = await (await thief.call("sip:bob@mesh")).final()
        assert (refused.status, refused.reason) == (403, "The user name or the secret of this phone is wrong")


async def test_a_phone_over_tcp_calls_and_is_called() -> None:
    async with (
        nodes("alice", "bob") as (a, b),
        SipPhone("alice", a.phones, transport="tcp") as alice,
        SipPhone("bob", b.phones, transport="tcp") as bob,
    ):
        await bob.register()
        call = await alice.call("sip:bob@mesh")
        rung = await bob.rung()
        assert rung.transaction is not None
        assert rung.transaction.flow.transport == "tcp"
        await rung.answer()
        await call.final()
        await rung.hang_up()
        await call.ended()


async def test_two_phones_of_one_node_talk_directly() -> None:
    async with nodes("alice", users={"alice": [user("alice"), user("carol")]}) as (a,):
        async with SipPhone("alice", a.phones) as alice, SipPhone("carol", a.phones) as carol:
            await carol.register()
            call = await alice.call("sip:carol@mesh")
            rung = await carol.rung()
            assert rung.offer == SDP
            assert rung.invite is not None
            assert str(rung.invite.from_.uri) == "sip:alice@mesh"
            await rung.answer(SDP + b"a=answer\r\n")
            assert (await call.final()).body == SDP + b"a=answer\r\n"
            await call.hang_up()
            await rung.ended()
        assert not a.media.opened


async def test_the_node_stops_in_the_middle_of_a_call() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        await it.a.gateway.__aexit__(None, None, None)
        assert (await call.ended()).headers.get("Reason") == 'SIP;cause=200;text="The node stops"'
        await rung.ended()


async def test_caps_refuse_what_is_too_much() -> None:
    async with pair(limits=Limits(calls_per_user=1)) as it:
        call, rung = await it.ringing()
        assert (await (await it.alice.call("sip:bob@mesh")).final()).status == 486
        await rung.say(486)
        await call.final()
    async with pair(limits=Limits(calls=1)) as it:
        call, rung = await it.ringing()
        refused = await (await it.alice.call("sip:bob@mesh")).final()
        assert (refused.status, refused.headers.get("Retry-After")) == (503, "2")
        await rung.say(486)
        await call.final()


async def test_a_call_that_fails_through_our_own_fault_ends_alone_and_says_500() -> None:
    """Whoever supervises keeps the node alive; the parties must still hear that it is over."""
    failures: list[BaseException] = []

    async def guard(job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except* ZeroDivisionError as group:
            failures.append(group)

    async with pair() as it:
        it.a.gateway._supervise = lambda group, job, name: group.create_task(guard(job), name=name)
        call, rung = await it.talking()
        (ours,) = it.a.gateway.calls.values()
        ours.spawn(_fault())
        assert (await call.ended()).headers.get("Reason") == 'SIP;cause=500;text="This node has a fault"'
        await rung.ended()
        it.a.media.opened[0].fragment = None
        again, rung = await it.talking()
        await again.hang_up()
        await rung.ended()
    assert len(failures) == 1


async def _fault() -> None:
    raise ZeroDivisionError
