"""Missed calls: which count as missed, what the phone is told, and when it is forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import pytest

from sipgate.events import CallAnswered, CallEnded, CallMissed, CallRefused, CallStarted, GatewayEvent
from sipgate.limits import Limits
from sipgate.ports import LocalUser, Trust
from sipgate.subscriptions import desk
from sipgate.subscriptions.missed_calls import MAX_MISSED, MissedCalls
from tests.sipgate.gateways import PATIENCE, TestNode, nodes, user

from .event_phone import MESSAGES, EventPhone, state_of

QUICK = Limits(notify_pause=0.0)
BOB = "sip:bob@mesh"


class Observed(MissedCalls):
    """The list, with what it tells fed back to it as the gateway does."""

    def __init__(self) -> None:
        self.told: list[CallMissed] = []
        self.users: dict[str, LocalUser] = {}
        super().__init__(self._told, self.users.get, lambda: 12.5)

    def _told(self, event: GatewayEvent) -> None:
        self.told.append(cast("CallMissed", event))
        self.observe(event)

    def rings(self, call: str, peer: str = BOB, trust: Trust = "pinned") -> None:
        self.users[call] = user("alice")
        self.observe(CallStarted(call, "in", peer, "bob", trust, f"{call}@mesh"))


@pytest.mark.parametrize(
    ("end", "is_missed"),
    [
        (CallEnded("1", "peer", "Call cancelled", 487), True),
        (CallEnded("1", "peer", "Call completed elsewhere", 200), False),
        (CallEnded("1", "node", "The node stops", 200), True),
        (CallRefused("1", 480, "Nobody answered in time", BOB, "in"), True),
        (CallRefused("1", 486, "Busy", BOB, "in"), True),
        (CallRefused("1", 603, "Declined", BOB, "in"), False),
        (CallRefused("2", 480, "another call", BOB, "in"), False),
    ],
)
def test_a_call_that_rang_in_vain_is_missed(end: CallEnded | CallRefused, is_missed: bool) -> None:
    missed = Observed()
    missed.rings("1")
    missed.observe(end)
    assert missed.told == ([CallMissed("1@mesh", "alice", BOB, "bob", "pinned")] if is_missed else [])
    assert [(each.peer, each.trust, each.at) for each in missed.of("alice")] == (
        [(BOB, "pinned", 12.5)] if is_missed else []
    )
    assert missed.of("carol") == ()


def test_calls_out_and_calls_to_oneself_are_not_missed() -> None:
    missed = Observed()
    missed.observe(CallStarted("1", "out", BOB, "bob", "pinned", "1@mesh"))
    missed.observe(CallStarted("2", "in", "sip:alice@mesh", "alice", "self", "2@mesh"))
    for call in ("1", "2"):
        missed.observe(CallEnded(call, "peer", "", 487))
    assert not missed.told


def test_who_is_talked_to_is_no_longer_missed() -> None:
    missed = Observed()
    for call, peer in (("1", BOB), ("2", "sip:carol@mesh"), ("3", BOB)):
        missed.rings(call, peer)
        missed.observe(CallEnded(call, "peer", "", 487))
    missed.rings("4")
    assert missed.observe(CallAnswered("4"))
    assert [each.peer for each in missed.of()] == ["sip:carol@mesh"]
    assert missed.forget()
    assert not missed.forget()


def test_ten_thousand_calls_leave_the_latest_hundred() -> None:
    missed = Observed()
    for number in range(10_000):
        missed.rings(str(number), f"sip:p{number}@mesh", "new")
        missed.observe(CallEnded(str(number), "peer", "", 487))
        missed.users.clear()
    assert len(missed.of()) == MAX_MISSED
    assert missed.of()[-1].peer == "sip:p9999@mesh"
    assert not missed._ringing


# -- with phones


@asynccontextmanager
async def two(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[tuple[TestNode, TestNode, EventPhone, EventPhone]]:
    monkeypatch.setattr(desk, "GRACE", 0.05)
    async with (
        nodes("alice", "bob", limits=QUICK) as (a, b),
        EventPhone("alice", a.phones) as alice,
        EventPhone("bob", b.phones) as bob,
    ):
        await alice.register()
        yield a, b, alice, bob
        for each in bob.subscriptions.values():
            await each.again(0)
            await each.until("terminated")


async def test_a_call_while_no_phone_is_on_is_told_to_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(monkeypatch) as (a, b, alice, bob):
        a.book.peers["sip:alice@mesh"] = replace(a.book.peers["sip:alice@mesh"], trust="new", known=False)
        assert (await (await alice.call(BOB)).final()).status == 480
        missed = await b.event(CallMissed)
        assert isinstance(missed, CallMissed)
        assert (missed.user, missed.peer, missed.trust) == ("bob", "sip:alice@mesh", "new")
        await bob.register()
        async with asyncio.timeout(PATIENCE):
            unasked = await bob.unasked.get()
        assert unasked.headers.get("Event") == MESSAGES
        assert unasked.headers.get("Content-Type") == "application/simple-message-summary"
        assert b"Messages-Waiting: yes\r\n" in unasked.body
        assert b"Voice-Message: 1/0 (0/0)\r\n" in unasked.body
        assert (
            'From: "Alice · new person" <sip:alice@mesh>\r\nSubject: missed call\r\n' in unasked.body.decode()
        )
        await bob.register()  # a refresh tells nothing anew
        assert b.gateway.subscriptions.forget_missed("sip:alice@mesh")
        async with asyncio.timeout(PATIENCE):
            assert b"Messages-Waiting: no\r\n" in (await bob.unasked.get()).body
        assert bob.unasked.empty()


async def test_a_phone_that_subscribes_is_told_there_and_not_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(monkeypatch) as (_, b, alice, bob):
        await bob.register()
        watching = await bob.subscribe(BOB, MESSAGES)
        assert b"Voice-Message: 0/0" in (await watching.until("active")).body
        call = await alice.call(BOB)
        await bob.rung()
        await call.response(180)
        await call.cancel()
        assert b"Voice-Message: 1/0" in (await watching.until("active", b"yes")).body
        b.gateway.subscriptions.forget_missed()
        assert state_of(await watching.until("active", b"Messages-Waiting: no")).expires
        assert bob.unasked.empty()


async def test_nobody_reads_the_messages_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(monkeypatch) as (_, _, alice, _):
        refused = await alice.subscribe(BOB, MESSAGES)
        assert refused.response is not None
        assert refused.response.status == 403


async def test_a_phone_that_moves_a_hundred_times_is_one_phone(monkeypatch: pytest.MonkeyPatch) -> None:
    async with two(monkeypatch) as (_, b, _, bob):
        for port in range(9000, 9100):
            contact = f'<sip:bob@127.0.0.1:{port}>;+sip.instance="<urn:uuid:1>"'
            assert (await bob.register(contact=contact)).status == 200
        assert [len(contacts) for contacts in b.gateway.subscriptions._phones.values()] == [1]
