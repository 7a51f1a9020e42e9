"""What the media has to say anew crosses between the nodes, in the dialog, whatever became of the connection."""

from __future__ import annotations

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.calls.caller_leg import SipCallerLeg
from sipgate.calls.line import MeshLine
from sipgate.endpoint import Endpoint
from sipgate.events import CallEnded
from sipgate.identity import NodeIdentity
from sipgate.protocol.message import Request
from sipgate.stream import StreamFlow
from sipgate.transport import Hop

from .gateways import Pair, PassThrough, TestNode, pair
from .parties import silent, until
from .test_anonymous_calls import tapped
from .test_mesh_leg import exchange


def media(node: TestNode) -> PassThrough:
    return node.media.opened[-1]


def flows(node: TestNode) -> list[StreamFlow]:
    """Return the connections between nodes."""
    return [each for each in node.gateway._endpoint._flows.connections._flows if each.transport == "tls"]


def mute(it: Pair) -> None:
    """Let every connection that stands between the nodes go dead without a sign."""
    for node in (it.a, it.b):
        for flow in flows(node):
            flow.data_received = lambda data: None  # type: ignore[method-assign]  # noqa: ARG005


async def renewed(asking: TestNode, asked: TestNode) -> None:
    """Wait until `asking` has told its transport, and has heard the other's."""
    asks, role = media(asking), media(asking).context.role.encode()
    asks.renewing.set()
    await until(lambda: not asks.renewing.is_set())
    assert media(asked).renewed[-1] == b"a=ice-ufrag:" + role + b"\r\n"
    assert asks.taken[-1].startswith(b"a=ice-ufrag:call")


@pytest.mark.parametrize("by_caller", [True, False])
async def test_new_transports_cross_in_the_dialog_and_no_phone_hears_of_it(by_caller: bool) -> None:
    async with pair() as it:
        call, rung = await it.talking()
        asking, asked = (it.a, it.b) if by_caller else (it.b, it.a)
        for _ in range(3):
            await renewed(asking, asked)
            await renewed(asked, asking)
        assert len(flows(it.a)) == 1  # the connection that stands has served
        await exchange(call, rung)  # a hold is the next thing that either phone hears
        await call.hang_up()
        await rung.ended()


@pytest.mark.parametrize("by_caller", [True, False])
async def test_a_connection_that_is_dead_without_a_sign_is_passed_over(by_caller: bool) -> None:
    async with pair() as it:
        call, rung = await it.talking()
        mute(it)
        await renewed(*((it.a, it.b) if by_caller else (it.b, it.a)))
        await exchange(rung, call)  # what follows takes the new one
        assert (await rung.hang_up()).status == 200
        await call.ended()


async def test_both_that_ask_at_once_are_answered() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        mute(it)
        async with asyncio.TaskGroup() as group:
            group.create_task(renewed(it.a, it.b))
            group.create_task(renewed(it.b, it.a))
        await call.hang_up()
        await rung.ended()


async def test_a_node_that_has_moved_is_found_where_the_mesh_says() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        b = it.b.gateway
        old, new = it.b.mesh, await b.listen_mesh("127.0.0.1", 0)
        mute(it)
        b._endpoint.stop_listening(old, "mesh")
        media(it.a).renewing.set()
        it.book.moved[it.b.public_key] = ("127.0.0.1", new)
        await renewed(it.a, it.b)
        await call.hang_up()
        await rung.ended()


async def test_a_node_that_does_not_want_to_yet_is_asked_again() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        media(it.b).refuses_renewal = True
        media(it.a).renewing.set()
        await until(lambda: media(it.b).refused_renewals > 0)
        media(it.b).refuses_renewal = False
        await renewed(it.a, it.b)
        await call.hang_up()
        await rung.ended()


async def test_a_node_that_has_lost_the_call_says_so() -> None:
    async with pair() as it:
        call, rung = await it.talking()
        it.b.gateway._node.dialogs._legs.clear()
        media(it.a).renewing.set()
        await call.ended()
        ended = await it.a.event(CallEnded)
        assert isinstance(ended, CallEnded)
        assert ended.status == 481
        await it.b.gateway.hang_up(next(iter(it.b.gateway.calls)), "over")
        await rung.ended()


@pytest.mark.parametrize("is_dead", [False, True])
async def test_a_call_without_a_name_is_renewed_without_one_and_leaves_no_connection(is_dead: bool) -> None:
    async with tapped() as it:
        call = await it.pair.alice.call("sip:*67bob@mesh")
        rung = await it.pair.bob.rung()
        await rung.answer()
        await call.response(200)
        before = set(it.connections)
        if is_dead:
            mute(it.pair)
        await renewed(it.pair.a, it.pair.b)
        assert (it.connections != before) is is_dead
        await call.hang_up()
        await rung.ended()
        it.assert_nothing_of_alice()
        await until(lambda: not flows(it.pair.a))


async def test_nobody_else_can_renew_anything() -> None:
    """Whoever knows the dialog, but not the node's key, is refused: media stays where it is."""
    async with pair() as it, Endpoint(on_request=silent) as mallory:
        call, rung = await it.talking()
        (leg,) = [each for each in it.b.gateway._node.dialogs.legs() if isinstance(each, SipCallerLeg)]
        assert leg.dialog is not None
        assert isinstance(leg.line, MeshLine)
        before = list(leg.line.hops), leg.dialog.remote_target
        forged = Request("UPDATE", leg.dialog.local.uri.canonical())
        for name, value in (
            ("Max-Forwards", "70"),
            ("From", str(leg.dialog.remote)),
            ("To", str(leg.dialog.local)),
            ("Call-ID", leg.dialog.call_id),
            ("CSeq", "900 UPDATE"),
            ("Contact", "<sip:mallory@127.0.0.1:9;transport=tls>"),
        ):
            forged.headers.add(name, value)
        forged.set_body("application/trickle-ice-sdpfrag", b"a=ice-ufrag:evil\r\n")
        for sign in (lambda _: None, NodeIdentity(Ed25519PrivateKey.generate(), lambda: 0.0).sign):
            sign(forged)
            hop = Hop("tls", "127.0.0.1", it.b.mesh, it.b.public_key)
            answer = await mallory.request(forged, hop).final()
            assert answer.status in (403, 428)
            forged.headers.set("CSeq", "901 UPDATE")
        assert media(it.b).renewed == []
        assert (list(leg.line.hops), leg.dialog.remote_target) == before
        await renewed(it.a, it.b)
        await call.hang_up()
        await rung.ended()
