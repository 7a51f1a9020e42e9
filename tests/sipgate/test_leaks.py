"""Whatever gets lost and whoever vanishes: when the last timer has run out, nothing is left.

Two real nodes and two phones in virtual time, with the base values of the RFC at the nodes.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import pytest

from sipgate.calls.call import Call
from sipgate.calls.dialog_leg import DialogLeg
from sipgate.limits import Limits
from sipgate.protocol.timers import TimerValues
from tests.kit import sip_phone
from tests.kit.sip_phone import PhoneCall, SipPhone
from tests.kit.virtual_net import VirtualNet
from tests.sipgate import gateways
from tests.sipgate.gateways import Pair, PassThrough, TestNode, pair

Story = Callable[[Pair], Awaitable[None]]
T1_64 = 32.0
CONSENT = 30.0  # seconds until media notices that the other side is gone
LIMITS = Limits(ring_timeout=60, session_interval=90)
LONGEST = LIMITS.ring_timeout + LIMITS.session_interval + 2 * T1_64 + 10


def run(net: VirtualNet, story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a story happen between two nodes; then wait as long as it may take, and look for what is left."""
    monkeypatch.setattr("sipgate.stream.check_node_key", lambda *_: None)  # there is no TLS
    monkeypatch.setattr(gateways, "FAST", TimerValues())
    monkeypatch.setattr(sip_phone, "PATIENCE", T1_64)

    async def main() -> None:
        async with pair(limits=LIMITS) as it:
            idle = asyncio.all_tasks()
            await story(it)
            if net.silent & {it.a.phones, it.b.phones}:
                await asyncio.sleep(CONSENT)
                for media in (*it.a.media.opened, *it.b.media.opened):
                    fail(media)
            await asyncio.sleep(LONGEST)
            for node in (it.a, it.b):
                assert_nothing_is_left(node)
            left = asyncio.all_tasks() - idle - {*it.alice._following, *it.bob._following}
            names = {task.get_name() for task in left}
            assert names <= {"sip connection"}  # between the nodes: it stays for the next call

    with asyncio.Runner(loop_factory=lambda: net) as runner:
        runner.run(main())
    assert net.failure is None


def assert_nothing_is_left(node: TestNode) -> None:
    endpoint = node.gateway._endpoint
    assert (node.name, len(node.gateway.calls)) == (node.name, 0)
    assert (node.name, len(node.gateway._node.dialogs)) == (node.name, 0)
    transactions = [*endpoint._layer._servers.values(), *endpoint._layer._clients.values()]
    assert (node.name, [(each.request.method, each.state) for each in transactions]) == (node.name, [])
    assert endpoint._layer.next_timer is None
    assert not endpoint._clients
    assert not endpoint._servers
    assert not endpoint._unsent
    assert all(media.closed.is_set() for media in node.media.opened)


async def answered(it: Pair) -> tuple[PhoneCall, PhoneCall]:
    """Call and answer; the 180 may be lost."""
    call = await it.alice.call("sip:bob@mesh")
    rung = await it.bob.rung()
    await rung.answer()
    await call.response(200)
    return call, rung


async def hung_up(it: Pair) -> None:
    call, rung = await answered(it)
    await asyncio.sleep(1)
    assert (await call.hang_up()).status == 200
    await rung.ended()


async def hung_up_by_the_callee(it: Pair) -> None:
    call, rung = await answered(it)
    assert (await rung.hang_up()).status == 200
    await call.ended()


async def cancelled(it: Pair) -> None:
    call = await it.alice.call("sip:bob@mesh")
    rung = await it.bob.rung()
    await call.cancel()
    await rung.cancelled()
    await rung.say(487)
    assert (await call.final()).status == 487


async def declined(it: Pair) -> None:
    call = await it.alice.call("sip:bob@mesh")
    rung = await it.bob.rung()
    await rung.say(603)
    assert (await call.final()).status == 603


@pytest.mark.parametrize("story", [hung_up, hung_up_by_the_callee, cancelled, declined])
@pytest.mark.parametrize("seed", range(5))
def test_what_is_lost_doubled_or_overtaken_leaves_nothing(
    story: Story, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stories(it: Pair) -> None:
        for _ in range(5):
            await story(it)

    run(VirtualNet(seed=seed, loss=0.05, doubled=0.05, spread=0.05), stories, monkeypatch)


@pytest.mark.parametrize("story", [hung_up, hung_up_by_the_callee, cancelled, declined])
def test_a_call_that_is_over_is_freed_without_a_collection(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    gc.collect()
    gc.disable()
    try:
        run(VirtualNet(), story, monkeypatch)
        assert [each for each in gc.get_objects() if isinstance(each, Call | DialogLeg)] == []
    finally:
        gc.enable()


# Who vanishes says nothing more and hears nothing.


def vanish(who: SipPhone | TestNode) -> None:
    net = asyncio.get_running_loop()
    assert isinstance(net, VirtualNet)
    if isinstance(who, SipPhone):
        net.silent.add(who.port)
        return
    flows = who.gateway._endpoint._flows.connections._flows
    net.silent |= {
        who.phones,
        who.mesh,
        *(flow.local[1] for flow in flows),
        *(flow.remote[1] for flow in flows),
    }


def fail(media: PassThrough) -> None:
    """Let the media notice that nobody is there any more."""
    if not media.failure.done():
        media.failure.set_result((503, "The other side is gone"))


async def calling(it: Pair, who: SipPhone | TestNode) -> None:
    await it.alice.call("sip:bob@mesh")
    vanish(who)


async def calling_a_silent_phone(it: Pair, who: SipPhone | TestNode) -> None:
    it.bob.is_stuck = True
    await it.alice.call("sip:bob@mesh")
    await asyncio.sleep(1)
    vanish(who)


async def ringing(it: Pair, who: SipPhone | TestNode) -> None:
    await it.ringing()
    vanish(who)


async def answered_but_not_confirmed(it: Pair, who: SipPhone | TestNode) -> None:
    call, rung = await it.ringing()
    call.acks = False
    await rung.say(200, sip_phone.SDP)
    await call.response(200)
    vanish(who)


async def in_the_call(it: Pair, who: SipPhone | TestNode) -> None:
    await answered(it)
    vanish(who)


async def changing_the_session(it: Pair, who: SipPhone | TestNode) -> None:
    call, _ = await answered(it)
    it.alice.endpoint.request(call.inside_request("INVITE", sip_phone.SDP), it.alice.hop)
    await asyncio.sleep(0.1)
    vanish(who)


async def taking_it_back(it: Pair, who: SipPhone | TestNode) -> None:
    call, _ = await it.ringing()
    vanish(who)
    await call.cancel()


async def hanging_up(it: Pair, who: SipPhone | TestNode) -> None:
    call, _ = await answered(it)
    it.alice.endpoint.request(call.inside_request("BYE"), it.alice.hop)
    vanish(who)


async def being_hung_up_on(it: Pair, who: SipPhone | TestNode) -> None:
    _, rung = await answered(it)
    it.bob.endpoint.request(rung.inside_request("BYE"), it.bob.hop)
    vanish(who)


STATES: list[Callable[[Pair, SipPhone | TestNode], Awaitable[None]]] = [
    calling,
    calling_a_silent_phone,
    ringing,
    answered_but_not_confirmed,
    in_the_call,
    changing_the_session,
    taking_it_back,
    hanging_up,
    being_hung_up_on,
]


@pytest.mark.parametrize("who", ["alice", "bob", "a", "b"])
@pytest.mark.parametrize("state", STATES)
def test_who_vanishes_leaves_nothing(
    state: Callable[[Pair, SipPhone | TestNode], Awaitable[None]], who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(it: Pair) -> None:
        it.alice.says_that_it_is_there = it.bob.says_that_it_is_there = True
        await state(it, getattr(it, who))

    run(VirtualNet(spread=0.001), story, monkeypatch)
