"""Calls that go on to somebody else: real gateways and TLS between three nodes, scripted phones."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from sipgate.call_rules import Forwarded
from sipgate.events import CallForwarded, CallMissed, CallRefused
from sipgate.ports import LocalUser, Peer, Refusal
from sipgate.protocol.diversion import Diversion
from tests.kit.sip_phone import SipPhone

from .gateways import TestNode, nodes

CAROL = "sip:carol@mesh"


@dataclass
class Rules:
    """Forwards at once, or after `seconds`, or when a refusal has one of `statuses`."""

    to: str = CAROL
    at_once: bool = False
    seconds: float | None = None
    statuses: frozenset[int] = frozenset()
    why: str = "unconditional"

    def before_ringing(self, user: LocalUser, caller: Peer, others: int) -> float | None:  # noqa: ARG002
        if self.at_once:
            raise Forwarded(self.to, self.why, "Bob's calls go to carol@mesh now")
        return self.seconds

    def calls_anonymously(self, user: LocalUser) -> bool:  # noqa: ARG002
        return False

    def instead(self, user: LocalUser, caller: Peer, refusal: Refusal, *, has_rung: bool) -> Refusal:  # noqa: ARG002
        if refusal.status not in self.statuses:
            return refusal
        return Forwarded(self.to, "no-answer" if has_rung else "away")


@dataclass
class Three:
    a: TestNode
    b: TestNode
    c: TestNode
    alice: SipPhone
    bob: SipPhone
    carol: SipPhone

    def forwards(self, node: TestNode, rules: Rules) -> None:
        node.gateway._node.rules = rules


@asynccontextmanager
async def three() -> AsyncIterator[Three]:
    async with (
        nodes("alice", "bob", "carol") as (a, b, c),
        SipPhone("alice", a.phones) as alice,
        SipPhone("bob", b.phones) as bob,
        SipPhone("carol", c.phones) as carol,
    ):
        for phone in (alice, bob, carol):
            await phone.register()
        yield Three(a, b, c, alice, bob, carol)


async def test_all_calls_go_to_somebody_else() -> None:
    async with three() as it:
        it.forwards(it.b, Rules(at_once=True))
        call = await it.alice.call("sip:bob@mesh")
        await call.response(181)
        rung = await it.carol.rung()
        assert await it.a.event(CallForwarded) == CallForwarded(
            next(iter(it.a.gateway.calls)), "sip:bob@mesh", CAROL, "unconditional"
        )
        await rung.answer()
        await call.response(200)
        await call.hang_up()
        assert it.a.names()[-1:] != ["Refused"]
    assert not [event for event in it.b.events if isinstance(event, CallMissed)]
    assert it.a.names() == ["Started", "Forwarded", "Started", "Ringing", "Answered", "Ended"]


async def test_a_call_that_has_rung_long_enough_goes_on() -> None:
    async with three() as it:
        it.forwards(it.b, Rules(seconds=0.2, statuses=frozenset({480})))
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        assert await rung.cancelled() == 'SIP;cause=302;text="Calls go on to carol@mesh"'
        heard = await it.carol.rung()
        await heard.answer()
        await call.response(200)
        forwarded = await it.a.event(CallForwarded)
        assert isinstance(forwarded, CallForwarded)
        assert forwarded.reason == "no-answer"
        await call.hang_up()
        refused = await it.b.event(CallRefused)
        assert isinstance(refused, CallRefused)
        assert refused.status == 302


async def test_a_call_while_no_phone_is_on_goes_on() -> None:
    async with three() as it:
        it.forwards(it.b, Rules(statuses=frozenset({480})))
        await it.bob.register(expires=0)
        call = await it.alice.call("sip:bob@mesh")
        await (await it.carol.rung()).answer()
        await call.response(200)
        await call.hang_up()


async def test_a_phone_that_forwards_by_itself_is_followed() -> None:
    async with three() as it:
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        await rung.say(302, Contact=f"<{CAROL}>", Diversion="<sip:bob@mesh>;reason=deflection")
        await (await it.carol.rung()).answer()
        await call.response(200)
        forwarded = await it.a.event(CallForwarded)
        assert isinstance(forwarded, CallForwarded)
        assert forwarded.reason == "deflection"
        await call.hang_up()


async def test_a_phone_that_sends_callers_out_of_the_mesh_is_not_followed() -> None:
    async with three() as it:
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        await rung.say(302, Contact="<sip:carol@example.org>")
        refused = await call.response(480)
        assert "where they cannot go" in (refused.headers.get("Reason") or "")


async def test_two_who_forward_to_each_other_are_found_out() -> None:
    async with three() as it:
        it.forwards(it.b, Rules(at_once=True))
        it.forwards(it.c, Rules(to="sip:bob@mesh", at_once=True))
        call = await it.alice.call("sip:bob@mesh")
        refused = await call.response(482)
        assert "back to where it had been" in (refused.headers.get("Reason") or "")


async def test_a_caller_who_hangs_up_before_the_next_one_rings_is_done_with() -> None:
    async with three() as it:
        it.forwards(it.b, Rules(at_once=True))
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.carol.rung()
        await call.cancel()
        await call.response(487)
        await rung.cancelled()


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("<sip:bob@mesh>;reason=no-answer", Diversion("sip:bob@mesh", "no-answer")),
        ('"Bob" <sip:bob@mesh>;reason="USER-BUSY";counter=1', Diversion("sip:bob@mesh", "user-busy")),
        ("<sip:bob@mesh>;reason=because", Diversion("sip:bob@mesh", "unknown")),
        ("<sip:bob@mesh>", Diversion("sip:bob@mesh", "unknown")),
    ],
)
def test_a_diversion_is_read_as_rfc_5806_says(text: str, meant: Diversion) -> None:
    assert Diversion.parse(text) == meant
    assert Diversion.parse(str(meant)) == meant
