"""Phone, node, node, phone: the whole path over real sockets."""

from __future__ import annotations

from sipgate.events import CallEnded, CallStarted
from tests.kit.sip_phone import SDP, SipPhone

from .gateways import nodes


async def test_a_call_from_dialling_to_hanging_up() -> None:
    async with (
        nodes("alice", "bob") as (a, b),
        SipPhone("alice", a.phones) as alice,
        SipPhone("bob", b.phones) as bob,
    ):
        assert (await alice.register()).status == 200
        assert (await bob.register()).status == 200
        call = await alice.call("sip:bob@mesh")
        rung = await bob.rung()
        assert (await call.response(180)).headers.get(
            "P-Asserted-Identity"
        ) == '"Bob · same key" <sip:bob@mesh>'
        assert rung.invite is not None
        assert rung.invite.from_.display_name == "Alice · same key"
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
    assert a.names() == b.names() == ["Started", "Ringing", "Answered", "Ended"]
    assert a.events[-1] == CallEnded(a.events[-1].call, "phone", "hung up", 200)  # type: ignore[union-attr]
    started = [event for event in (*a.events, *b.events) if isinstance(event, CallStarted)]
    assert started[0].call_id == started[1].call_id
    assert [each.direction for each in started] == ["out", "in"]
