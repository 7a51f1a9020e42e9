"""Transfer between phones of three nodes: scripted phones, real gateways, real TLS between them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import quote, unquote

import pytest

from sipgate.events import CallTransferred
from sipgate.limits import Limits
from sipgate.protocol.message import Request, reply
from sipgate.server_transaction import ServerTransaction
from tests.kit.sip_phone import PATIENCE, SDP, PhoneCall, SipPhone

from .gateways import EchoService, TestNode, nodes, user

BOBS = SDP.replace(b"20000", b"20002").replace(b"o=- 1 1", b"o=bob 7 7")
CAROLS = SDP.replace(b"20000", b"20004").replace(b"o=- 1 1", b"o=carol 9 9")


@dataclass
class Inside:
    """What one end of a call hears inside it: it takes every offer, and remembers every report."""

    call: PhoneCall
    sdp: bytes
    status: int = 200
    offers: list[Request] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        while True:
            await self._take(await self.call.inside.get())
            self.news.set()

    async def _take(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        assert self.call.dialog is not None
        assert self.call.dialog.accepts(request)
        response = reply(request, self.status if request.method == "INVITE" else 200)
        if request.method == "INVITE":
            self.offers.append(request)
            response.headers.add("Contact", self.call.phone.contact)
            if self.status == 200:
                response.set_body("application/sdp", self.sdp)
        elif request.method == "NOTIFY":
            assert request.headers.get("Event") == "refer"
            assert request.headers.get("Content-Type") == "message/sipfrag"
            state = request.headers.get("Subscription-State") or ""
            self.reports.append(f"{state.partition(';')[0]} {request.body.decode().strip()}")
        await transaction.respond(response)

    async def report(self, start: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not any(each.startswith(start) for each in self.reports):
                self.news.clear()
                await self.news.wait()

    async def offer(self) -> Request:
        async with asyncio.timeout(PATIENCE):
            while not self.offers:
                self.news.clear()
                await self.news.wait()
        return self.offers[-1]


@dataclass
class Three:
    a: TestNode
    b: TestNode
    c: TestNode
    alice: SipPhone
    bob: SipPhone
    carol: SipPhone
    group: asyncio.TaskGroup
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def inside(self, call: PhoneCall, sdp: bytes = SDP, status: int = 200) -> Inside:
        made = Inside(call, sdp, status)
        self.tasks.append(self.group.create_task(made.run()))
        return made

    async def talking(self, *, bobs_status: int = 200) -> tuple[Inside, Inside]:
        """Let alice call bob; return both ends."""
        call = await self.alice.call("sip:bob@mesh")
        rung = await self.bob.rung()
        await rung.answer(BOBS)
        await call.response(200)
        return self.inside(call), self.inside(rung, BOBS, bobs_status)


@asynccontextmanager
async def three(*, limits: Limits | None = None) -> AsyncIterator[Three]:
    async with nodes("alice", "bob", "carol", limits=limits) as (a, b, c), phones_at(a, b, c) as it:
        yield it


@asynccontextmanager
async def three_of_one_node() -> AsyncIterator[Three]:
    """The same three people, whose phones are all at one node."""
    users = {"alice": [user("alice"), user("bob"), user("carol")]}
    async with nodes("alice", users=users) as (node,), phones_at(node, node, node) as it:
        yield it


@asynccontextmanager
async def phones_at(a: TestNode, b: TestNode, c: TestNode) -> AsyncIterator[Three]:
    async with (
        SipPhone("alice", a.phones) as alice,
        SipPhone("bob", b.phones) as bob,
        SipPhone("carol", c.phones) as carol,
        asyncio.TaskGroup() as group,
    ):
        for phone in (alice, bob, carol):
            await phone.register()
        it = Three(a, b, c, alice, bob, carol, group)
        yield it
        for task in it.tasks:
            task.cancel()


async def refer(call: PhoneCall, to: str, **headers: str) -> int:
    request = call.inside_request("REFER")
    request.headers.add("Contact", call.phone.contact)
    request.headers.add("Refer-To", to)
    for name, value in headers.items():
        request.headers.add(name.replace("_", "-"), value)
    async with asyncio.timeout(PATIENCE):
        return (await call.phone.endpoint.request(request, call.phone.hop).final()).status


async def left(node: TestNode, calls: int) -> None:
    """Wait until so many calls are left."""
    async with asyncio.timeout(PATIENCE):
        while len(node.gateway.calls) != calls:  # noqa: ASYNC110 - no event for it
            await asyncio.sleep(0.005)


def transferred(node: TestNode) -> list[CallTransferred]:
    return [event for event in node.events if isinstance(event, CallTransferred)]


async def test_a_blind_transfer_calls_the_target_from_the_other_node_and_lets_go() -> None:
    async with three() as it:
        near, far = await it.talking()
        assert await refer(near.call, "<sip:carol@mesh>") == 202
        rung = await it.carol.rung()
        assert rung.invite is not None
        assert "bob" in str(rung.invite.from_).lower()
        assert far.offers == []
        await rung.answer(CAROLS)
        offer = await far.offer()
        assert b"20004" in offer.body
        assert "carol" in (offer.headers.get("P-Asserted-Identity") or "").lower()
        await near.report("terminated SIP/2.0 200")
        await near.call.ended()
        assert near.reports[0] == "active SIP/2.0 100 Trying"
        event = await it.b.event(CallTransferred)
        assert isinstance(event, CallTransferred)
        assert (event.part, event.by, event.whom, event.to) == (
            "transferee",
            "sip:alice@mesh",
            "sip:bob@mesh",
            "sip:carol@mesh",
        )
        assert event.into in it.b.gateway.calls
        assert [each.part for each in transferred(it.a)] == ["transferor"]
        await it.a.idle()
        for node in (it.b, it.c):
            await left(node, 1)
        assert not far.call.bye.done()
        assert (await far.call.hang_up()).status == 200
        await rung.ended()


async def test_the_new_pair_has_media_of_its_own_and_the_old_one_is_freed() -> None:
    async with three() as it:
        near, far = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        await rung.answer(CAROLS)
        await near.call.ended()
        await far.offer()
        old, new = it.b.media.opened
        assert old.closed.is_set()
        assert not new.closed.is_set()
        assert (new.context.role, new.context.peer.uri) == ("caller", "sip:carol@mesh")
        assert it.c.media.opened[0].context.call_id == new.context.call_id
        assert new.context.phone_allowed == {"127.0.0.1"}
        await rung.hang_up()
        await far.call.ended()


async def test_the_phone_sees_one_session_that_goes_on() -> None:
    async with three() as it:
        near, far = await it.talking()
        assert far.call.invite is not None
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        await rung.answer(CAROLS)
        offer = await far.offer()
        assert b"o=- 1 1 IN" in far.call.invite.body
        assert b"o=- 1 2 IN" in offer.body
        assert offer.call_id == far.call.invite.call_id
        await near.call.ended()
        await far.call.hang_up()
        await rung.ended()


async def test_a_target_that_is_busy_changes_nothing() -> None:
    async with three() as it:
        near, far = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        await rung.say(486)
        await near.report("terminated SIP/2.0 486")
        assert far.offers == []
        assert transferred(it.b) == []
        assert (await near.call.hang_up()).status == 200
        await far.call.ended()


async def test_a_transferor_that_hangs_up_at_once_leaves_the_transfer_to_the_others() -> None:
    async with three() as it:
        near, far = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        await near.call.hang_up()
        rung = await it.carol.rung()
        await it.a.idle()
        assert not far.call.bye.done()
        await rung.answer(CAROLS)
        assert b"20004" in (await far.offer()).body
        await far.call.hang_up()
        await rung.ended()


async def test_a_phone_without_anybody_left_is_hung_up_with_the_reason() -> None:
    async with three() as it:
        near, far = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        await near.call.hang_up()
        rung = await it.carol.rung()
        await rung.say(603, reason="Not now")
        bye = await far.call.ended()
        assert "cause=603" in (bye.headers.get("Reason") or "")


@pytest.mark.parametrize("alone", [False, True])
async def test_hanging_up_stops_a_transfer(*, alone: bool) -> None:
    async with three() as it:
        near, far = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        if alone:
            await near.call.hang_up()
            await it.a.idle()
        assert (await far.call.hang_up()).status == 200
        await rung.cancelled()
        await rung.say(487)
        if not alone:
            await near.call.ended()


async def test_a_phone_that_refuses_the_new_session_keeps_its_call() -> None:
    async with three() as it:
        near, far = await it.talking(bobs_status=488)
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        await rung.answer(CAROLS)
        await near.report("terminated SIP/2.0 488")
        await rung.ended()
        assert not far.call.bye.done()
        await near.call.hang_up()
        await far.call.ended()


async def test_the_nodes_owner_can_stop_a_transfer() -> None:
    async with three() as it:
        near, _ = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        (new,) = [each for each in it.b.gateway.calls.values() if each.peer_uri == "sip:carol@mesh"]
        await it.b.gateway.hang_up(new.id, "stopped")
        await rung.cancelled()
        await rung.say(487)
        await near.report("terminated SIP/2.0 480")
        await near.call.hang_up()


async def test_nobody_reports_to_who_does_not_want_it() -> None:
    async with three() as it:
        near, far = await it.talking()
        assert await refer(near.call, "<sip:carol@mesh>", Refer_Sub="false") == 202
        rung = await it.carol.rung()
        await rung.answer(CAROLS)
        await near.call.ended()
        assert near.reports == []
        await far.call.hang_up()
        await rung.ended()


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("<sip:carol@example.org>", 404),
        ("<tel:+123>", 416),
        ("<sip:carol@mesh;method=BYE>", 400),
        ("garbage", 400),
        ("<sip:carol@mesh?Replaces=nobody%3Bto-tag%3D1%3Bfrom-tag%3D2>", 481),
    ],
)
async def test_a_transfer_that_cannot_be_is_refused_with_a_sentence(to: str, status: int) -> None:
    async with three() as it:
        near, _ = await it.talking()
        assert await refer(near.call, to) == status
        await near.call.hang_up()


async def test_one_transfer_at_a_time() -> None:
    async with three() as it:
        near, _ = await it.talking()
        assert await refer(near.call, "<sip:carol@mesh>") == 202
        assert await refer(near.call, "<sip:carol@mesh>") == 491
        rung = await it.carol.rung()
        await rung.say(486)
        await near.report("terminated SIP/2.0 486")
        await near.call.hang_up()


async def test_a_phone_is_sent_on_a_bounded_number_of_times() -> None:
    async with three(limits=Limits(transfers_in_a_row=1)) as it:
        near, far = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        await rung.answer(CAROLS)
        await near.call.ended()
        await far.offer()
        it.inside(rung, CAROLS)
        assert await refer(rung, "<sip:alice@mesh>") == 403
        await far.call.hang_up()
        await rung.ended()


async def test_a_chain_of_transfers_ends_where_it_should() -> None:
    async with three() as it:
        near, far = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        await rung.answer(CAROLS)
        await near.call.ended()
        await far.offer()
        carols = it.inside(rung, CAROLS)
        assert await refer(rung, "<sip:alice@mesh>") == 202
        back = await it.alice.rung()
        await back.answer(SDP)
        await carols.call.ended()
        await it.c.idle()
        assert b"20000" in far.offers[-1].body
        assert b"o=- 1 3 IN" in far.offers[-1].body
        await far.call.hang_up()
        await back.ended()


async def attended(it: Three) -> tuple[Inside, Inside, Inside, Inside]:
    """Let alice talk with bob and with carol."""
    near, far = await it.talking()
    second = await it.alice.call("sip:carol@mesh")
    rung = await it.carol.rung()
    await rung.answer(CAROLS)
    await second.response(200)
    return near, far, it.inside(second), it.inside(rung, CAROLS)


def replaces(call: PhoneCall) -> str:
    assert call.dialog is not None
    dialog = call.dialog
    text = f"{dialog.call_id};to-tag={dialog.remote_tag};from-tag={dialog.local_tag}"
    return f"<{dialog.remote_target}?Replaces={quote(text, safe='')}>"


async def test_an_attended_transfer_joins_both_others_and_lets_go() -> None:
    async with three() as it:
        near, far, second, carols = await attended(it)
        assert await refer(near.call, replaces(second.call)) == 202
        offered = await carols.offer()
        assert b"20002" in offered.body
        assert "bob" in (offered.headers.get("P-Asserted-Identity") or "").lower()
        assert b"20004" in (await far.offer()).body
        await near.report("terminated SIP/2.0 200")
        await near.call.ended()
        await second.call.ended()
        await it.a.idle()
        assert it.carol.incoming.empty()
        for node in (it.b, it.c):
            await left(node, 1)
        assert [each.part for each in transferred(it.c)] == ["target"]
        assert transferred(it.c)[0].by == "sip:alice@mesh"
        assert transferred(it.c)[0].whom == "sip:bob@mesh"
        assert transferred(it.c)[0].into in it.c.gateway.calls
        await carols.call.hang_up()
        await far.call.ended()


async def test_a_phone_that_is_called_for_an_attended_transfer_and_refuses_keeps_its_call() -> None:
    async with three() as it:
        near, far, second, carols = await attended(it)
        carols.status = 488
        await refer(near.call, replaces(second.call))
        await near.report("terminated SIP/2.0 488")
        assert not carols.call.bye.done()
        assert far.offers == []
        for call in (near.call, second.call):
            await call.hang_up()
        await far.call.ended()
        await carols.call.ended()


async def test_a_dialog_of_another_user_or_with_wrong_tags_is_not_taken_over() -> None:
    async with three() as it:
        near, _, second, carols = await attended(it)
        assert second.call.dialog is not None
        wrong = replaces(second.call).replace(second.call.dialog.remote_tag, "wrong")
        assert await refer(near.call, wrong) == 481
        guess = "<sip:carol@mesh?Replaces=guess%3Bto-tag%3D1%3Bfrom-tag%3D2>"
        assert await refer(near.call, guess) == 481
        assert carols.offers == []
        for call in (near.call, second.call):
            await call.hang_up()


async def test_three_phones_of_one_node_are_joined_in_place() -> None:
    async with three_of_one_node() as it:
        node = it.a
        near, far, second, carols = await attended(it)
        assert await refer(near.call, replaces(second.call)) == 202
        assert b"20002" in (await carols.offer()).body
        assert b"20004" in (await far.offer()).body
        await near.call.ended()
        await second.call.ended()
        await left(node, 1)
        assert {each.part for each in transferred(node)} == {"transferee", "target"}
        await carols.call.hang_up()
        await far.call.ended()


async def test_a_phone_fetches_a_call_of_its_users_other_phone() -> None:
    async with (
        nodes("alice", users={"alice": [user("alice"), user("bob")]}) as (node,),
        SipPhone("alice", node.phones) as alice,
        SipPhone("bob", node.phones) as bob,
        SipPhone("alice", node.phones) as kitchen,
        asyncio.TaskGroup() as group,
    ):
        for phone in (alice, bob):
            await phone.register()
        it = Three(node, node, node, alice, bob, kitchen, group)
        near, far = await it.talking()
        named = replaces(near.call)
        text = unquote(named.partition("Replaces=")[2][:-1])
        fetched = await kitchen.call("sip:bob@mesh", CAROLS, Replaces=text)
        assert (await fetched.final()).status == 200
        assert b"20004" in (await far.offer()).body
        await near.call.ended()
        refused = await kitchen.call("sip:bob@mesh", CAROLS, Replaces=text)
        assert (await refused.final()).status == 481
        await far.call.hang_up()
        await fetched.ended()
        for task in it.tasks:
            task.cancel()


async def test_a_blind_transfer_between_phones_of_one_node_leads_into_the_mesh() -> None:
    async with (
        nodes("alice", "carol", users={"alice": [user("alice"), user("bob")]}) as (a, c),
        SipPhone("alice", a.phones) as alice,
        SipPhone("bob", a.phones) as bob,
        SipPhone("carol", c.phones) as carol,
        asyncio.TaskGroup() as group,
    ):
        for phone in (alice, bob, carol):
            await phone.register()
        it = Three(a, a, c, alice, bob, carol, group)
        near, far = await it.talking()
        assert await refer(near.call, "<sip:carol@mesh>") == 202
        rung = await carol.rung()
        await rung.answer(CAROLS)
        assert b"20004" in (await far.offer()).body
        await near.call.ended()
        await far.call.hang_up()
        await rung.ended()
        for task in it.tasks:
            task.cancel()


async def test_somebody_can_be_sent_to_a_service() -> None:
    async with three() as it:
        it.c.services["sip:carol@mesh"] = EchoService
        near, far = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        await near.call.ended()
        assert b"m=audio 9" in (await far.offer()).body
        await far.call.hang_up()


async def test_a_service_is_not_sent_on() -> None:
    async with three() as it:
        it.b.services["sip:bob@mesh"] = EchoService
        call = await it.alice.call("sip:bob@mesh")
        await call.response(200)
        assert await refer(call, "<sip:carol@mesh>") == 603
        await call.hang_up()


async def test_what_nobody_waits_for_is_not_taken() -> None:
    async with three() as it:
        near, _ = await it.talking()
        for event, status in (("refer", 481), ("presence", 489)):
            notify = near.call.inside_request("NOTIFY", b"SIP/2.0 200 OK\r\n", "message/sipfrag")
            notify.headers.add("Event", event)
            notify.headers.add("Subscription-State", "terminated")
            response = await near.call.phone.endpoint.request(notify, near.call.phone.hop).final()
            assert response.status == status
        await near.call.hang_up()


@pytest.mark.parametrize("who", ["transferor", "transferee", "target"])
async def test_a_phone_that_vanishes_in_a_transfer_leaves_nothing_behind(who: str) -> None:
    async with three() as it:
        near, far = await it.talking()
        if who == "target":
            it.carol.vanish()
        await refer(near.call, "<sip:carol@mesh>")
        if who == "target":
            await near.report("terminated SIP/2.0 480")
            await near.call.hang_up()
            await far.call.ended()
            return
        rung = await it.carol.rung()
        (it.alice if who == "transferor" else it.bob).vanish()
        await rung.answer(CAROLS)
        if who == "transferor":
            assert b"20004" in (await far.offer()).body
            await left(it.b, 1)
            await far.call.hang_up()
        else:
            await near.call.ended()
        await rung.ended()


async def test_a_phone_that_is_stuck_does_not_hold_a_transfer_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sipgate.calls.reinvite.PATIENCE", 0.5)
    async with three() as it:
        near, _ = await it.talking()
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        it.bob.is_stuck = True
        await rung.answer(CAROLS)
        await near.call.ended()
        await rung.ended()


async def test_a_re_invite_that_crosses_is_tried_again_by_the_phone_only() -> None:
    async with three() as it:
        near, far = await it.talking(bobs_status=491)
        await refer(near.call, "<sip:carol@mesh>")
        rung = await it.carol.rung()
        await rung.answer(CAROLS)
        await near.report("terminated SIP/2.0 491")
        await rung.ended()
        await near.call.hang_up()
        await far.call.ended()
