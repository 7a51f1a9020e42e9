"""Transfers that the user orders at the node, without a REFER of the phone."""

from __future__ import annotations

import asyncio

import pytest

from sipgate.ports import Refusal

from .gateways import EchoService, TestNode
from .test_transfer import CAROLS, Three, attended, left, three, three_of_one_node, transferred


def only_call(node: TestNode) -> str:
    (call,) = node.gateway.calls
    return call


def order(it: Three, node: TestNode, to: str) -> asyncio.Task[str | Refusal]:
    """Order it for the node's first call; the task returns where to, or why not."""

    async def ordered() -> str | Refusal:
        try:
            return await node.gateway.transfer(next(iter(node.gateway.calls)), to)
        except Refusal as refusal:
            return refusal

    return it.group.create_task(ordered())


async def test_whom_we_talk_with_is_sent_on_and_the_phone_hears_of_its_end_alone() -> None:
    async with three() as it:
        near, far = await it.talking()
        ordered = order(it, it.a, "carol")
        rung = await it.carol.rung()
        assert rung.invite is not None
        assert "bob" in str(rung.invite.from_).lower()
        await rung.answer(CAROLS)
        assert await ordered == "sip:carol"
        assert b"20004" in (await far.offer()).body
        await near.call.ended()
        assert near.reports == []
        assert [each.part for each in transferred(it.a)] == ["transferor"]
        await it.a.idle()
        await far.call.hang_up()
        await rung.ended()


async def test_who_was_called_may_send_the_caller_on() -> None:
    async with three() as it:
        near, far = await it.talking()
        ordered = order(it, it.b, "sip:carol@mesh")
        rung = await it.carol.rung()
        assert rung.invite is not None
        assert "alice" in str(rung.invite.from_).lower()
        await rung.answer(CAROLS)
        assert await ordered == "sip:carol@mesh"
        await far.call.ended()
        await near.call.hang_up()
        await rung.ended()


async def test_a_target_that_is_busy_is_told_and_the_call_goes_on() -> None:
    async with three() as it:
        near, far = await it.talking()
        ordered = order(it, it.a, "sip:carol@mesh")
        rung = await it.carol.rung()
        await rung.say(486)
        refused = await ordered
        assert isinstance(refused, Refusal)
        assert refused.status == 486
        assert near.reports == []
        await near.call.hang_up()
        await far.call.ended()


async def test_two_calls_are_joined_and_both_end_here() -> None:
    async with three() as it:
        near, far, second, carols = await attended(it)
        one, other = it.a.gateway.calls
        assert await it.a.gateway.transfer(one, None, other) == "sip:carol@mesh"
        assert b"20002" in (await carols.offer()).body
        assert b"20004" in (await far.offer()).body
        await near.call.ended()
        await second.call.ended()
        await it.a.idle()
        assert [each.part for each in transferred(it.c)] == ["target"]
        await carols.call.hang_up()
        await far.call.ended()


async def test_three_phones_of_one_node_are_joined_in_place() -> None:
    async with three_of_one_node() as it:
        node = it.a
        near, far, second, carols = await attended(it)
        one, other = node.gateway.calls
        assert await node.gateway.transfer(one, None, other) == "sip:carol@mesh"
        assert b"20004" in (await far.offer()).body
        await near.call.ended()
        await second.call.ended()
        await left(node, 1)
        await carols.call.hang_up()
        await far.call.ended()


async def test_a_call_without_a_phone_can_be_passed_on_to_one() -> None:
    async with three() as it:
        placed = await it.a.gateway.place_call("sip:alice@mesh", "sip:bob@mesh", EchoService())
        bobs = await it.bob.rung()
        await bobs.answer()
        assert await placed.confirmed()
        it.inside(bobs)
        ordered = order(it, it.a, "sip:carol@mesh")
        rung = await it.carol.rung()
        await rung.answer(CAROLS)
        assert await ordered == "sip:carol@mesh"
        await it.a.idle()
        await bobs.hang_up()
        await rung.ended()


async def test_who_hangs_up_meanwhile_hears_that_it_is_not_decided() -> None:
    async with three() as it:
        near, far = await it.talking()
        ordered = order(it, it.a, "sip:carol@mesh")
        rung = await it.carol.rung()
        await near.call.hang_up()
        assert "not known yet" in str(await ordered)
        await rung.answer(CAROLS)
        await far.offer()
        await far.call.hang_up()
        await rung.ended()


async def test_what_cannot_be_transferred_is_said() -> None:
    async with three() as it:
        call = await it.alice.call("sip:bob@mesh")
        rung = await it.bob.rung()
        await call.response(180)
        with pytest.raises(Refusal, match="that stands"):
            await it.a.gateway.transfer(only_call(it.a), "sip:carol@mesh")
        await rung.answer()
        await call.response(200)
        with pytest.raises(Refusal, match="into itself"):
            await it.a.gateway.transfer(only_call(it.a), None, only_call(it.a))
        with pytest.raises(Refusal, match="can be called"):
            await it.a.gateway.transfer(only_call(it.a), "sip:carol@example.org")
        for one, other in (("nothing", None), (only_call(it.a), "nothing")):
            with pytest.raises(KeyError):
                await it.a.gateway.transfer(one, None if other else "sip:carol@mesh", other)
        await call.hang_up()
        await rung.ended()
