"""The joining of legs, with legs that only remember: every race in the order that makes it a race."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from sipgate.call_rules import Forwarded
from sipgate.calls.call import Call
from sipgate.calls.cause import Cause
from sipgate.calls.happenings import Callee, Search
from sipgate.calls.joint import Joint
from sipgate.calls.leg import Acked, Cancelled, Failed, NotAcked, Payload, Reply
from sipgate.events import CallEnded, CallForwarded, CallRefused, Direction, GatewayEvent
from sipgate.ports import Peer, Refusal

from .fake_legs import PEER, FakeExchange, FakeLeg, FakeMedia

Find = Callable[[Joint], Awaitable[Callee]]
CANCEL = Cancelled(Cause(487, "gave up"))


@dataclass
class FakeSearch:
    """Finds somebody; a call that is forwarded finds who is `next`."""

    look_up: Find
    next: Find | None = None
    target: str = "sip:bob@mesh"

    async def find(self, joint: Joint) -> Callee:
        return await self.look_up(joint)

    def forwarded(self, forwarded: Forwarded) -> Search:
        if self.next is None:
            raise Refusal(482, "no further")
        return FakeSearch(self.next, None, forwarded.to)


@dataclass
class Scene:
    call: Call
    a: FakeLeg
    b: list[FakeLeg]
    media: FakeMedia
    events: list[GatewayEvent]
    exchange: FakeExchange
    search: FakeSearch
    found: asyncio.Event = field(default_factory=asyncio.Event)

    async def invited(self) -> None:
        for leg in self.b:
            await leg.invited.wait()

    async def established(self) -> None:
        await self.invited()
        self.b[0].rings()
        self.b[0].answers()
        await settled()

    def names(self) -> list[str]:
        return [type(event).__name__.removeprefix("Call") for event in self.events]


async def settled() -> None:
    for _ in range(30):
        await asyncio.sleep(0)


@asynccontextmanager
async def scene(
    *,
    branches: int = 1,
    direction: Direction = "out",
    peer: Peer = PEER,
    acks: bool = True,
    ring_timeout: float = 60,
    find: Callable[[Scene], Find] | None = None,
) -> AsyncIterator[Scene]:
    ours, theirs = ("phone", "mesh") if direction == "out" else ("mesh", "phone")
    a = FakeLeg(ours, acks=acks)  # type: ignore[arg-type]
    b = [FakeLeg(theirs) for _ in range(branches)]  # type: ignore[arg-type]
    events: list[GatewayEvent] = []
    media, exchange = FakeMedia(), FakeExchange()

    async def look_up(joint: Joint) -> Callee:
        joint.media = media
        return Callee(peer, "mesh-call-id", await joint.offer(a.side, b"offer"), tuple(b))

    search = FakeSearch(look_up)
    call = Call(
        "c1",
        direction=direction,
        caller=a,
        target="sip:bob@mesh",
        search=search,
        ring_timeout=ring_timeout,
        on_event=events.append,
        exchange=exchange,
    )
    it = Scene(call, a, b, media, events, exchange, search)
    if find is not None:
        search.look_up = find(it)
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(call.run())
        yield it
        for leg in b:
            leg.finished.set()
        if not running.done():
            await call.hang_up("test over")
    assert events[-1] is await call.wait_ended()
    assert sum(isinstance(event, CallEnded | CallRefused) for event in events) == 1
    assert a.closed == 1
    assert media.closed >= 1


async def test_an_answered_call_from_invite_to_bye() -> None:
    async with scene() as it:
        await it.established()
        it.a.hangs_up()
        await it.call.wait_ended()
        await settled()
    assert it.a.log == ["present bob", "ring 180 own-fragment", "answer answer>phone"]
    assert it.b[0].log == ["invite offer>mesh", "ack", "bye 200"]
    assert it.names() == ["Started", "Ringing", "Answered", "Ended"]
    assert it.events[-1] == CallEnded("c1", "phone", "bye", 200)


async def test_the_callee_hangs_up() -> None:
    async with scene() as it:
        await it.established()
        it.b[0].hangs_up()
        await settled()
    assert it.a.log[-1] == "bye 200"
    assert it.events[-1] == CallEnded("c1", "peer", "bye", 200)


async def test_the_caller_is_answered_when_sound_has_a_way() -> None:
    async with scene() as it:
        it.media.way.clear()
        await it.established()
        assert it.a.log == ["present bob", "ring 180 own-fragment"]
        assert it.b[0].log[-1] == "ack", "which may bring what the other side needs"
        assert it.names() == ["Started", "Ringing"]
        it.media.way.set()
        await settled()
        assert it.a.log[-1] == "answer answer>phone"
        assert it.names()[-1] == "Answered"


async def test_who_calls_from_another_node_is_answered_at_once() -> None:
    async with scene(direction="in") as it:
        it.media.way.clear()
        await it.established()
        assert it.a.log[-1] == "answer answer>mesh"


async def test_a_call_without_sound_is_refused_though_somebody_picked_up() -> None:
    async with scene() as it:
        it.media.way.clear()
        await it.established()
        it.media.failure.set_result((480, "No way for the sound was found"))
        await it.call.wait_ended()
    assert it.a.log[-1] == "refuse 480"
    assert it.b[0].log[-1] == "bye 480"
    assert it.events[-1] == CallRefused("c1", 480, "No way for the sound was found", "sip:bob@mesh", "out")


async def test_the_caller_gives_up_before_sound_has_a_way() -> None:
    async with scene() as it:
        it.media.way.clear()
        await it.established()
        it.call.post(CANCEL)
        await it.call.wait_ended()
    assert it.a.log[-1] == "refuse 487"
    assert it.b[0].log[-1] == "bye 487"
    assert it.events[-1] == CallEnded("c1", "phone", "gave up", 487)


async def test_the_callee_hangs_up_before_sound_has_a_way() -> None:
    async with scene(branches=2) as it:
        it.media.way.clear()
        await it.established()
        it.b[1].answers(b"late")
        await settled()
        assert it.b[1].log[-2:] == ["ack", "bye 200"]
        it.b[0].hangs_up()
        await it.call.wait_ended()
    assert it.a.log[-1] == "refuse 480"
    assert it.events[-1] == CallRefused("c1", 480, "bye", "sip:bob@mesh", "out")


async def test_nobody_has_the_name() -> None:
    def find(_: Scene) -> Find:
        async def nobody(joint: Joint) -> Callee:
            raise Refusal(404, "Nobody is called bob")

        return nobody

    async with scene(find=find) as it:
        await it.call.wait_ended()
        it.media.closed = 1
    assert it.a.log == ["refuse 404"]
    assert it.events == [CallRefused("c1", 404, "Nobody is called bob", "sip:bob@mesh", "out")]


async def test_the_caller_hangs_up_while_the_callee_is_looked_up() -> None:
    def find(it: Scene) -> Find:
        async def long_search(joint: Joint) -> Callee:
            joint.media = it.media
            it.found.set()
            await asyncio.Event().wait()
            raise AssertionError

        return long_search

    async with scene(find=find) as it:
        await it.found.wait()
        it.call.post(CANCEL)
        await it.call.wait_ended()
    assert it.a.log == ["refuse 487"]
    assert it.events == [CallEnded("c1", "phone", "gave up", 487)]


CAROL = replace(PEER, uri="sip:carol@mesh", display_name="carol")
TO_CAROL = Forwarded("sip:carol@mesh", "away")


async def test_a_forwarded_call_gets_media_of_its_own() -> None:
    async with scene() as it:
        carol, second = FakeLeg("mesh"), FakeMedia()

        async def find_carol(joint: Joint) -> Callee:
            joint.media = second
            return Callee(CAROL, "second-call-id", await joint.offer("phone", b"offer"), (carol,))

        it.search.next = find_carol
        await it.invited()
        it.b[0].rings()
        it.call.post(Failed(it.b[0], TO_CAROL))
        await carol.invited.wait()
        assert (it.media.closed, it.b[0].closed, second.closed) == (1, 1, 0)
        carol.rings()
        carol.answers()
        await settled()
        assert it.call.peer_uri == "sip:carol@mesh"
        carol.hangs_up()
        await it.call.wait_ended()
        carol.finished.set()
    assert second.closed
    assert carol.closed == 1
    assert it.a.log == [
        "present bob",
        "ring 180 own-fragment",
        "ring 181",
        "present carol",
        "ring 180 own-fragment",
        "answer answer>phone",
        "bye 200",
    ]
    assert it.names() == ["Started", "Ringing", "Forwarded", "Started", "Ringing", "Answered", "Ended"]
    assert CallForwarded("c1", "sip:bob@mesh", "sip:carol@mesh", "away") in it.events


async def test_who_gives_up_while_a_forwarded_call_is_looked_up_is_heard() -> None:
    async with scene() as it:
        looked = asyncio.Event()

        async def long_search(joint: Joint) -> Callee:
            looked.set()
            await asyncio.Event().wait()
            raise AssertionError

        it.search.next = long_search
        await it.invited()
        it.call.post(Failed(it.b[0], TO_CAROL))
        await looked.wait()
        it.call.post(CANCEL)
        await it.call.wait_ended()
    assert it.a.log[-1] == "refuse 487"


async def test_a_call_whose_phone_hears_the_callees_node_already_is_not_forwarded() -> None:
    async with scene() as it:
        await it.invited()
        it.b[0].rings(183, b"early")
        it.call.post(Failed(it.b[0], TO_CAROL))
        await it.call.wait_ended()
    assert it.a.log[-1] == "refuse 480"
    assert it.events[-1] == CallRefused("c1", 480, "Calls go on to carol@mesh", "sip:bob@mesh", "out")


async def test_a_call_that_cannot_go_on_is_refused_with_the_reason() -> None:
    async with scene() as it:
        await it.invited()
        it.call.post(Failed(it.b[0], TO_CAROL))
        await it.call.wait_ended()
    assert it.a.log[-1] == "refuse 482"


async def test_cancel_while_ringing_reaches_every_device() -> None:
    async with scene(branches=2, direction="in") as it:
        await it.invited()
        it.b[1].rings()
        it.call.post(CANCEL)
        await it.call.wait_ended()
        await settled()
    assert it.a.log == ["present bob", "ring 180 own-fragment", "refuse 487"]
    assert it.b[0].log[-1] == it.b[1].log[-1] == "cancel 487"
    assert it.events[-1] == CallEnded("c1", "peer", "gave up", 487)


async def test_an_answer_that_crosses_the_cancel_is_confirmed_and_hung_up() -> None:
    async with scene() as it:
        await it.invited()
        it.call.post(CANCEL)
        it.b[0].answers()
        await it.call.wait_ended()
        await settled()
    assert it.a.log == ["present bob", "refuse 487"]
    assert it.b[0].log == ["invite offer>mesh", "cancel 487", "ack", "bye 487"]


async def test_a_cancel_that_comes_after_the_answer_changes_nothing() -> None:
    async with scene(acks=False) as it:
        await it.invited()
        it.b[0].answers()
        await settled()
        it.call.post(CANCEL)
        await settled()
        assert "Ended" not in it.names()
        it.call.post(Acked())
    assert "refuse 487" not in it.a.log


async def test_the_first_answer_wins_and_the_others_are_cancelled() -> None:
    async with scene(branches=3, direction="in") as it:
        await it.invited()
        it.b[1].answers()
        await settled()
        for loser in (it.b[0], it.b[2]):
            assert loser.log[-1] == "cancel 200"
            loser.fails(487)
        await settled()
        it.b[1].hangs_up()
        await settled()
    assert it.b[1].log[1:] == ["ack"]
    assert it.a.log[-2:] == ["answer answer>mesh", "bye 200"]


async def test_two_devices_that_answer_at_once_leave_one_call() -> None:
    async with scene(branches=2, direction="in") as it:
        await it.invited()
        it.b[0].answers(b"first")
        it.b[1].answers(b"second")
        await settled()
        assert it.b[1].log[-2:] == ["ack", "bye 200"]
        assert it.a.log[-1] == "answer first>mesh"


@pytest.mark.parametrize(("statuses", "heard"), [((486, 486), 486), ((480, 486), 486), ((408, 480), 480)])
async def test_when_no_device_answers_the_best_refusal_is_heard(
    statuses: tuple[int, int], heard: int
) -> None:
    async with scene(branches=2, direction="in") as it:
        await it.invited()
        it.b[0].fails(statuses[0])
        it.b[1].fails(statuses[1])
        await it.call.wait_ended()
        await settled()
    assert it.a.log[-1] == f"refuse {heard}"


async def test_a_decline_on_one_device_stops_the_others() -> None:
    async with scene(branches=2, direction="in") as it:
        await it.invited()
        it.b[0].fails(603)
        await it.call.wait_ended()
        await settled()
    assert it.a.log[-1] == "refuse 603"
    assert it.b[1].log[-1] == "cancel 603"


async def test_a_phone_rings_only_so_long() -> None:
    async with scene(ring_timeout=0.01) as it:
        await it.invited()
        await it.call.wait_ended()
        await settled()
    assert it.a.log[-1] == "refuse 480"
    assert it.b[0].log[-1] == "cancel 480"


async def test_an_answer_that_cannot_be_served_is_hung_up_and_refused() -> None:
    async with scene() as it:
        it.media.refuses.add(b"weird")
        await it.invited()
        it.b[0].answers(b"weird")
        await it.call.wait_ended()
        await settled()
    assert it.a.log[-1] == "refuse 488"
    assert it.b[0].log[1:] == ["ack", "bye 488"]


async def test_an_answer_without_sdp_is_refused() -> None:
    async with scene() as it:
        await it.invited()
        it.b[0].answers(b"")
        await it.call.wait_ended()
        await settled()
    assert it.a.log[-1] == "refuse 488"


async def test_failed_media_ends_the_call_for_both_with_the_reason() -> None:
    async with scene() as it:
        await it.established()
        it.media.failure.set_result((504, "Nothing was heard from the other side"))
        await it.call.wait_ended()
        await settled()
    assert it.a.log[-1] == it.b[0].log[-1] == "bye 504"
    assert it.events[-1] == CallEnded("c1", "node", "Nothing was heard from the other side", 504)


async def test_media_that_fails_before_the_answer_refuses_the_call() -> None:
    async with scene() as it:
        await it.invited()
        it.media.failure.set_result((488, "wrong key"))
        await it.call.wait_ended()
        await settled()
    assert it.a.log[-1] == "refuse 488"
    assert it.events[-1] == CallRefused("c1", 488, "wrong key", "sip:bob@mesh", "out")


async def test_a_caller_that_never_confirms_is_hung_up() -> None:
    async with scene(acks=False) as it:
        await it.established()
        it.call.post(NotAcked())
        await it.call.wait_ended()
        await settled()
    assert it.a.log[-1] == it.b[0].log[-1] == "bye 408"


async def test_the_node_may_hang_up_at_any_time() -> None:
    async with scene() as it:
        await it.invited()
        await it.call.hang_up("the node stops")
        await settled()
    assert it.a.log[-1] == "refuse 480"
    assert it.events[-1] == CallEnded("c1", "node", "the node stops", 480)


async def test_both_hang_up_at_once() -> None:
    async with scene() as it:
        await it.established()
        it.a.hangs_up()
        it.b[0].hangs_up()
        await it.call.wait_ended()
        await settled()
    assert "bye 200" not in it.a.log


async def test_an_early_answer_is_passed_on_and_not_turned_twice() -> None:
    async with scene() as it:
        await it.invited()
        it.b[0].rings(183, b"early")
        it.b[0].rings(183, b"early")
        it.b[0].answers(b"early")
        await settled()
        assert it.a.log[1:] == ["ring 183 early>phone", "answer early>phone"]


async def test_a_stranger_learns_nothing_of_our_media_before_somebody_picks_up() -> None:
    async with scene(direction="in", peer=replace(PEER, known=False)) as it:
        await it.invited()
        it.b[0].rings(183, b"early")
        await settled()
        assert it.a.log[1:] == ["ring 183"]
        it.b[0].answers(b"early")
        await settled()
        assert it.a.log[2:] == ["answer early>mesh"]


async def test_the_peers_transport_in_its_ringing_reaches_the_media() -> None:
    async with scene() as it:
        await it.invited()
        it.b[0].rings(180, None, b"their-fragment")
        await settled()
    assert it.media.taken == [b"their-fragment"]


async def test_a_stranger_learns_our_transport_only_after_the_answer() -> None:
    async with scene(peer=replace(PEER, known=False, trust="new")) as it:
        await it.established()
        assert it.a.log[1] == "ring 180"
        assert it.b[0].log[1] == "ack own-fragment"


async def test_the_strangers_transport_in_its_ack_reaches_the_media() -> None:
    async with scene(direction="in", acks=False) as it:
        await it.invited()
        it.b[0].answers()
        it.call.post(Acked(b"late-fragment"))
        await settled()
    assert it.media.taken == [b"late-fragment"]


async def test_hold_goes_through_the_media_both_ways() -> None:
    async with scene() as it:
        await it.established()
        it.b[0].answers_reoffer.set_result(Reply(200, "OK", b"held"))
        assert await it.call.reoffer(it.a, "INVITE", b"hold") == Reply(200, "OK", b"held>phone")
        it.a.answers_reoffer.set_result(Reply(200, "OK", b"heard"))
        assert await it.call.reoffer(it.b[0], "UPDATE", b"talk") == Reply(200, "OK", b"heard>mesh")
    assert it.b[0].log[2] == "INVITE hold>mesh"
    assert "UPDATE talk>phone" in it.a.log


async def test_glare_is_refused_with_491_and_impatience_with_500() -> None:
    async with scene() as it:
        await it.established()
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(it.call.reoffer(it.a, "INVITE", b"hold"))
            await settled()
            assert (await it.call.reoffer(it.b[0], "INVITE", b"hold")).status == 491
            assert (await it.call.reoffer(it.a, "INVITE", b"hold")).status == 500
            await it.call.cancel_reoffer(it.a)
        assert first.result().status == 487


async def test_a_pending_change_is_answered_when_the_call_ends() -> None:
    async with scene() as it:
        await it.established()
        async with asyncio.TaskGroup() as tasks:
            change = tasks.create_task(it.call.reoffer(it.a, "INVITE", b"hold"))
            await settled()
            it.b[0].hangs_up()
        assert change.result().status == 487


async def test_a_change_that_finds_the_dialog_gone_ends_the_call() -> None:
    async with scene() as it:
        await it.established()
        it.b[0].answers_reoffer.set_result(Reply(481, "what call"))
        assert (await it.call.reoffer(it.a, "INVITE", b"hold")).status == 481
        await it.call.wait_ended()
    assert "bye 481" in it.a.log


async def test_changes_that_cannot_be_served_are_refused_and_the_call_goes_on() -> None:
    async with scene() as it:
        assert (await it.call.reoffer(it.a, "INVITE", b"early")).status == 491
        await it.established()
        it.media.refuses.add(b"fax")
        assert (await it.call.reoffer(it.a, "INVITE", b"fax")).status == 488
        assert (await it.call.reoffer(it.a, "INVITE", b"")).status == 488
        assert (await it.call.reoffer(it.a, "UPDATE", b"")).status == 200
        assert "Ended" not in it.names()


async def test_info_is_passed_on_once_the_call_is_answered() -> None:
    async with scene() as it:
        assert (await it.call.pass_on(it.a, "INFO", Payload((), b"dtmf"))).status == 500
        await it.established()
        assert (await it.call.pass_on(it.a, "INFO", Payload((), b"dtmf"))).status == 200
        assert "INFO dtmf" in it.b[0].log
