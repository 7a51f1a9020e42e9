"""Handsets: phones without SIP that are attached to the gateway, such as browsers."""

from __future__ import annotations

import asyncio

import pytest

from sipgate.events import CallEnded, CallRefused, PhoneRegistered, PhoneUnregistered
from sipgate.handset import HandsetLine
from sipgate.limits import Limits
from sipgate.ports import MediaRefused, Peer, Refusal
from tests.kit.sip_phone import SipPhone

from .gateways import nodes, pair
from .test_inside_calls import accept, take
from .test_transfer import refer, three

OFFER = b"v=0\r\na=handset-offer\r\n"
ANSWER = b"v=0\r\na=handset-answer\r\n"


class Call:
    """One call of a handset, driven by the test."""

    line: HandsetLine

    def __init__(self) -> None:
        self.caller: asyncio.Future[Peer] = asyncio.get_running_loop().create_future()
        self.picked_up: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.over: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()
        self.rings = asyncio.Event()
        self.shown: list[str] = []
        self.offers: list[bytes] = []

    def take(self, line: HandsetLine) -> None:
        self.line = line

    async def ring(self, caller: Peer, offer: bytes) -> bytes:
        self.offers.append(offer)
        self.caller.set_result(caller)
        return await self.picked_up

    def present(self, peer: Peer) -> None:
        self.shown.append(peer.uri)

    def progress(self, status: int) -> None:
        assert status == 180
        self.rings.set()

    async def answered(self, answer: bytes) -> None:
        self.answer.set_result(answer)

    async def reoffer(self, offer: bytes) -> bytes:
        if b"inactive" in offer:
            raise MediaRefused(488, "not that")
        self.offers.append(offer)
        return ANSWER

    async def ended(self, status: int, reason: str) -> None:
        self.over.set_result((status, reason))
        if not self.picked_up.done():
            self.picked_up.set_exception(Refusal(487, reason))
            self.picked_up.exception()  # looked at: nobody may wait for it any more


class Browser:
    """A handset; `calls` are those that came in."""

    def __init__(self, room: int = 8) -> None:
        self.calls: asyncio.Queue[Call] = asyncio.Queue()
        self._room = room

    def call_in(self) -> Call:
        if self.calls.qsize() >= self._room:
            raise Refusal(486, "Busy")
        call = Call()
        self.calls.put_nowait(call)
        return call


async def test_a_handset_is_called_answers_and_is_hung_up_on() -> None:
    async with nodes("alice", "bob") as (a, b), SipPhone("alice", a.phones) as alice:
        browser = Browser()
        with b.gateway.attached("sip:bob@mesh", browser):
            call = await alice.call("sip:bob@mesh")
            ringing = await browser.calls.get()
            assert (await ringing.caller).uri == "sip:alice@mesh"
            assert ringing.offers[0].endswith(b"a=x-callee-offer-in\r\n")
            ringing.picked_up.set_result(ANSWER)
            answer = await call.final()
            assert answer.status == 200
            assert ANSWER.strip() in answer.body
            held = await call.send("INVITE", b"v=0\r\na=sendonly\r\n")
            assert held.status == 200
            assert len(ringing.offers) == 2
            assert (await call.send("INVITE", b"v=0\r\na=inactive\r\n")).status == 488
            assert (await call.send("INFO", b"Signal=1", "application/dtmf-relay")).status == 415
            await call.hang_up()
            await ringing.over
        registered = [e.contact for e in b.events if isinstance(e, PhoneRegistered)]
        assert "browser" in registered
        assert isinstance(b.events[-1], PhoneUnregistered)


async def test_the_quicker_one_of_phone_and_handset_gets_the_call() -> None:
    async with pair() as it:
        browser = Browser()
        with it.b.gateway.attached("sip:bob@mesh", browser):
            call = await it.alice.call("sip:bob@mesh")
            rung = await it.bob.rung()
            ringing = await browser.calls.get()
            await rung.answer()
            assert (await call.final()).status == 200
            assert (await ringing.over)[1] == "Call completed elsewhere"
            await call.hang_up()


async def test_a_handset_declines_and_the_caller_hears_it() -> None:
    async with nodes("alice", "bob") as (a, b), SipPhone("alice", a.phones) as alice:
        browser = Browser()
        with b.gateway.attached("sip:bob@mesh", browser):
            call = await alice.call("sip:bob@mesh")
            ringing = await browser.calls.get()
            await ringing.caller
            ringing.picked_up.set_exception(Refusal(603, "Declined"))
            assert (await call.final()).status == 603
            assert await ringing.over == (603, "Declined")


async def test_a_caller_who_gives_up_stops_the_ringing() -> None:
    async with nodes("alice", "bob") as (a, b), SipPhone("alice", a.phones) as alice:
        browser = Browser()
        with b.gateway.attached("sip:bob@mesh", browser):
            call = await alice.call("sip:bob@mesh")
            ringing = await browser.calls.get()
            await ringing.caller
            await call.cancel()
            await ringing.over
            assert (await call.final()).status == 487


async def test_a_handset_that_has_its_hands_full_is_busy() -> None:
    async with nodes("alice", "bob") as (a, b), SipPhone("alice", a.phones) as alice:
        with b.gateway.attached("sip:bob@mesh", Browser(room=0)):
            assert (await (await alice.call("sip:bob@mesh")).final()).status == 486


async def test_nobody_is_there_once_the_handset_has_gone() -> None:
    async with nodes("alice", "bob") as (a, b), SipPhone("alice", a.phones) as alice:
        with b.gateway.attached("sip:bob@mesh", Browser()):
            pass
        assert (await (await alice.call("sip:bob@mesh")).final()).status == 480


async def test_a_handset_calls_changes_the_session_and_hangs_up() -> None:
    async with pair() as it:
        browser, own = Browser(), Call()
        with it.a.gateway.attached("sip:alice@mesh", browser):
            call = it.a.gateway.call_from("sip:alice@mesh", "bob@mesh", browser, own, OFFER)
            rung = await it.bob.rung()
            await own.rings.wait()
            assert own.shown == ["sip:bob@mesh"]
            await rung.answer()
            assert (await own.answer).endswith(b"a=x-caller-answer-in\r\n")
            async with asyncio.TaskGroup() as tasks:
                changed = tasks.create_task(own.line.change(b"v=0\r\na=sendonly\r\n"))
                await accept(rung, await take(rung, "INVITE"))
            assert changed.result()
            own.line.hang_up()
            ended = await call.wait_ended()
            assert isinstance(ended, CallEnded)
            assert ended.by == "phone"
            await own.over
        with pytest.raises(MediaRefused, match="over"):
            await own.line.change(OFFER)
        own.line.hang_up()  # too late, and no harm


async def test_a_handset_takes_its_call_back_while_it_rings() -> None:
    async with pair() as it:
        own, browser = Call(), Browser()
        call = it.a.gateway.call_from("sip:alice@mesh", "bob@mesh", browser, own, OFFER)
        rung = await it.bob.rung()
        await own.rings.wait()
        own.line.hang_up()
        await rung.cancelled()
        await rung.say(487)
        ended = await call.wait_ended()
        assert isinstance(ended, CallEnded)
        assert (ended.by, (await own.over)[0]) == ("phone", 487)


async def test_the_calling_handset_does_not_ring_itself() -> None:
    async with nodes("alice") as (a,):
        own, browser = Call(), Browser()
        with a.gateway.attached("sip:alice@mesh", browser):
            call = a.gateway.call_from("sip:alice@mesh", "alice@mesh", browser, own, OFFER)
            ended = await call.wait_ended()
            assert isinstance(ended, CallRefused)
            assert ended.status == 480
            assert browser.calls.empty()


async def test_two_handsets_of_one_node_talk_directly() -> None:
    async with nodes("alice") as (a,):
        own, here, there = Call(), Browser(), Browser()
        with a.gateway.attached("sip:alice@mesh", here), a.gateway.attached("sip:alice@mesh", there):
            call = a.gateway.call_from("sip:alice@mesh", "alice@mesh", here, own, OFFER)
            ringing = await there.calls.get()
            await ringing.caller
            assert ringing.offers == [OFFER]
            ringing.picked_up.set_result(ANSWER)
            assert await own.answer == ANSWER
            ringing.line.hang_up()
            await call.wait_ended()
            await own.over


async def test_a_user_has_only_so_many_handsets_and_an_unknown_one_none() -> None:
    async with nodes("alice", limits=Limits(bindings_per_user=2)) as (a,):
        attached = a.gateway.attached
        with (
            attached("sip:alice@mesh", Browser()),
            attached("sip:alice@mesh", Browser()),
            pytest.raises(Refusal, match="as many"),
            attached("sip:alice@mesh", Browser()),
        ):
            pass
        with pytest.raises(KeyError), attached("sip:mallory@mesh", Browser()):
            pass


async def test_a_handset_that_is_sent_on_is_offered_the_new_call_and_keeps_the_old_one_if_there_is_none() -> (
    None
):
    async with three() as it:
        own, browser = Call(), Browser()
        old = it.b.gateway.call_from("sip:bob@mesh", "alice@mesh", browser, own, OFFER)
        rung = await it.alice.rung()
        await rung.answer()
        await own.answer
        inside = it.inside(rung)
        assert await refer(rung, "<sip:nobody@mesh>") == 202
        await inside.report("terminated SIP/2.0 404")
        assert not own.over.done()
        assert await refer(rung, "<sip:carol@mesh>") == 202
        carol = await it.carol.rung()
        assert OFFER.strip() in carol.offer
        await carol.answer()
        await inside.report("terminated SIP/2.0 200")
        assert len(own.offers) == 1
        assert own.shown == ["sip:alice@mesh", "sip:carol@mesh"]
        await old.wait_ended()
        assert not own.over.done()
        assert own.line.call in it.b.gateway.calls
        own.line.hang_up()
        await carol.ended()
        await own.over


async def test_a_user_with_a_handset_is_shown_as_one_who_can_be_called() -> None:
    async with nodes("alice") as (a,):
        presence = a.gateway.subscriptions._presences.of(a.accounts.users[0])
        told: list[bool] = []
        leave = presence.join(lambda: told.append(presence.presence().is_open))
        with a.gateway.attached("sip:alice@mesh", Browser()):
            assert told == [True]
        assert told == [True, False]
        leave()
