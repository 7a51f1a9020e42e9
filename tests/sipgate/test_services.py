"""Parties that live in the node: echo and calls without a phone."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sipgate.events import CallEnded, CallRefused
from sipgate.ports import MediaRefused, Refusal
from tests.kit.sip_phone import SipPhone

from .gateways import EchoService, TestNode, nodes, pair


def serve(node: TestNode, uri: str) -> list[EchoService]:
    """Let a service answer calls to `uri`; return the ones that were made."""
    made: list[EchoService] = []

    def make() -> EchoService:
        made.append(EchoService())
        return made[-1]

    node.services[uri] = make  # type: ignore[assignment]
    return made


async def test_a_service_answers_a_call_from_another_node() -> None:
    async with pair() as it:
        made = serve(it.b, "sip:echo@mesh")
        it.book.peers["sip:echo@mesh"] = replace(it.book.peers["sip:bob@mesh"], uri="sip:echo@mesh")
        call = await it.alice.call("sip:echo@mesh")
        assert (await call.final()).status == 200
        assert made[0].heard[0].endswith(b"a=x-callee-offer-in\r\n")
        await call.hang_up()
        await made[0].closed.wait()
    assert it.b.names() == ["Started", "Ringing", "Answered", "Ended"]


async def test_the_own_echo_is_called_the_normal_way() -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice:
        made = serve(a, "sip:echo@mesh")
        a.book.peers["sip:echo@mesh"] = replace(
            a.book.peers["sip:alice@mesh"], uri="sip:echo@mesh", trust="self"
        )
        call = await alice.call("sip:echo@mesh")
        answer = await call.final()
        assert answer.status == 200
        assert [media.context.role for media in a.media.opened] == ["caller", "callee"]
        await call.hang_up()
        await made[0].closed.wait()
    assert a.names().count("Started") == 2


async def test_nobody_else_dials_a_star_code() -> None:
    async with pair() as it:
        made = serve(it.b, "sip:*78@mesh")
        it.book.peers["sip:*78@mesh"] = replace(it.book.peers["sip:bob@mesh"], uri="sip:*78@mesh")
        call = await it.alice.call("sip:*78@mesh")
        assert (await call.final()).status == 404
        assert made == []


async def test_a_service_may_answer_in_place_of_the_users_phone() -> None:
    async with pair() as it:
        made = serve(it.b, "sip:bob@mesh")
        call = await it.alice.call("sip:bob@mesh")
        assert (await call.final()).status == 200
        assert it.bob.incoming.empty()
        async with asyncio.TaskGroup() as tasks:
            held = tasks.create_task(call.send("INVITE", b"v=0\r\na=sendonly\r\n"))
        assert held.result().status == 200
        assert (await call.send("INFO", b"Signal=1", "application/dtmf-relay")).status == 200
        await call.hang_up()
        await made[0].closed.wait()


async def test_the_node_places_a_call_without_a_phone() -> None:
    async with pair() as it:
        service = EchoService()
        call = await it.a.gateway.place_call("sip:alice@mesh", "bob@mesh", service)
        rung = await it.bob.rung()
        assert rung.offer.startswith(service.sdp)
        await rung.answer()
        await rung.hang_up()
        ended = await call.wait_ended()
        assert isinstance(ended, CallEnded)
        assert ended.by == "peer"
        await service.closed.wait()
        assert service.heard[0].endswith(b"a=x-caller-answer-in\r\n")


async def test_the_owner_of_a_placed_call_hangs_up() -> None:
    async with pair() as it:
        service = EchoService()
        call = await it.a.gateway.place_call("sip:alice@mesh", "sip:bob@mesh", service)
        rung = await it.bob.rung()
        await rung.answer()
        await it.a.event(type(it.a.events[1]))
        await call.hang_up("long enough")
        await rung.ended()
        await service.closed.wait()


async def test_a_placed_call_that_is_refused_says_why() -> None:
    async with pair() as it:
        call = await it.a.gateway.place_call("sip:alice@mesh", "nobody", EchoService())
        ended = await call.wait_ended()
        assert isinstance(ended, CallRefused)
        assert (ended.status, ended.peer) == (404, "sip:nobody@mesh")


@pytest.mark.parametrize("target", ["tel:+49", "bob@example.org", "sip:", "b b"])
async def test_a_call_that_cannot_begin_closes_its_service(target: str) -> None:
    async with nodes("alice") as (a,):
        service = EchoService()
        with pytest.raises(Refusal):
            await a.gateway.place_call("sip:alice@mesh", target, service)
        assert service.closed.is_set()
        with pytest.raises(KeyError):
            await a.gateway.place_call("sip:nobody@mesh", "sip:alice@mesh", service)


class Deaf(EchoService):
    async def answer(self, offer: bytes) -> bytes:
        self.heard.append(offer)
        raise MediaRefused(488, "Only G.711 here")


async def test_a_service_that_cannot_serve_the_offer_refuses_the_call() -> None:
    async with pair() as it:
        it.b.services["sip:bob@mesh"] = Deaf
        refused = await (await it.alice.call("sip:bob@mesh")).final()
        assert (refused.status, refused.reason) == (488, "Only G.711 here")


async def test_a_call_that_is_ready_to_begin_when_the_node_has_stopped_is_refused() -> None:
    gate = asyncio.Event()

    class Slow(EchoService):
        async def offer(self) -> bytes:
            await gate.wait()
            return self.sdp

    service = Slow()
    async with nodes("alice") as (a,):
        async with asyncio.TaskGroup() as group:
            placing = group.create_task(placed(a, service))
            await asyncio.sleep(0)
            await a.gateway.__aexit__(None, None, None)
            gate.set()
        assert placing.result().status == 503
        assert service.closed.is_set()
        assert not a.gateway.calls


async def placed(node: TestNode, service: EchoService) -> Refusal:
    """Place a call that is refused; return why."""
    with pytest.raises(Refusal) as refused:
        await node.gateway.place_call(node.uri, "sip:echo@mesh", service)
    return refused.value


@pytest.mark.parametrize("turns", range(0, 60, 3))
async def test_a_node_that_stops_while_a_code_is_dialled_has_nothing_to_complain_of(turns: int) -> None:
    async with nodes("alice") as (a,), SipPhone("alice", a.phones) as alice, asyncio.TaskGroup() as group:
        serve(a, "sip:*60@mesh")
        a.book.peers["sip:*60@mesh"] = replace(
            a.book.peers["sip:alice@mesh"], uri="sip:*60@mesh", trust="self"
        )
        dialling = group.create_task(alice.call("sip:*60@mesh"))
        for _ in range(turns):
            await asyncio.sleep(0)
        await a.gateway.__aexit__(None, None, None)
        dialling.cancel()
        assert not a.gateway.calls
