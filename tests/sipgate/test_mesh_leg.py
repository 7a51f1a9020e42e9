"""What crosses between two nodes, and what happens when the connection between them breaks."""

from __future__ import annotations

import asyncio

import pytest

from sipgate.calls.line import hops_to
from tests.kit.sip_phone import PhoneCall

from .gateways import Pair, TestNode, pair
from .test_inside_calls import HOLD, accept, take


async def cut(it: Pair) -> None:
    """Break every connection between the nodes."""
    for node in (it.a, it.b):
        for flow in list(node.gateway._endpoint._flows.connections._flows):
            if flow.transport == "tls":
                flow.abort()
                await flow.closed()


@pytest.mark.parametrize("by_caller", [True, False])
async def test_a_broken_connection_does_not_end_the_call(by_caller: bool) -> None:
    async with pair() as it:
        call, rung = await it.talking()
        await cut(it)
        assert len(it.a.gateway.calls) == len(it.b.gateway.calls) == 1
        first, second = (call, rung) if by_caller else (rung, call)
        await exchange(first, second)
        await exchange(second, first)
        await cut(it)
        assert (await first.hang_up()).status == 200
        await second.ended()


async def exchange(holds: PhoneCall, held: PhoneCall) -> None:
    async with asyncio.TaskGroup() as tasks:
        asked = tasks.create_task(holds.send("INVITE", HOLD))
        await accept(held, await take(held, "INVITE"))
    assert asked.result().status == 200


async def test_a_connection_that_breaks_while_it_rings_ends_in_words() -> None:
    async with pair() as it:
        call, rung = await it.ringing()
        await cut(it)
        refused = await call.final()
        assert (refused.status, refused.reason) == (480, "The node that was called cannot be reached")
        await rung.say(486)


async def test_two_calls_share_one_connection() -> None:
    async with pair() as it:
        for _ in range(2):
            call, rung = await it.talking()
            await call.hang_up()
            await rung.ended()
        assert connections(it.a) == 1


def connections(node: TestNode) -> int:
    return sum(flow.transport == "tls" for flow in node.gateway._endpoint._flows.connections._flows)


async def test_no_name_and_no_sdp_of_the_phone_leg_tells_where_the_phone_is() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        assert call.sending is not None
        assert rung.invite is not None
        assert rung.invite.call_id != call.sending.request.call_id
        assert str(it.alice.port) not in str(rung.invite.headers)
        await call.hang_up()
        await rung.ended()


def test_hops_are_literal_addresses_each_once_and_bounded() -> None:
    key = bytes(32)
    given = [
        ("::1", 5),
        ("host.example", 5),
        ("::1", 5),
        ("224.0.0.1", 5),
        ("127.0.0.1", 0),
        ("127.0.0.1", 70000),
    ]
    assert [(hop.host, hop.port) for hop in hops_to(key, given)] == [("::1", 5)]
    assert len(hops_to(key, [("127.0.0.1", port) for port in range(1, 100)])) == 8
