"""Between nodes nothing is believed that is not signed, and nothing is believed twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sipgate.calls.content import first_offer
from sipgate.endpoint import Endpoint
from sipgate.identity import NodeIdentity, ReplayMemory, sender_of
from sipgate.limits import Limits
from sipgate.ports import Refusal
from sipgate.protocol.message import Request, Response
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Hop
from tests.kit.sip_phone import SDP

from .gateways import FAST, TestNode, pair, user

KEY = Ed25519PrivateKey.generate()
IDENTITY = NodeIdentity(KEY, lambda: 1.0)


def invite(call_id: str = "c1", *, to: str = "sip:bob@mesh") -> Request:
    request = Request("INVITE", "sip:bob@mesh")
    for name, value in (
        ("Max-Forwards", "70"),
        ("From", '"Alice" <sip:alice@mesh>;tag=a'),
        ("To", f"<{to}>"),
        ("Call-ID", call_id),
        ("CSeq", "1 INVITE"),
        ("Contact", "<sip:alice@127.0.0.1:9;transport=tls>"),
    ):
        request.headers.add(name, value)
    request.set_body(*first_offer(SDP + b"a=fingerprint:sha-256 AB:CD\r\n", user("alice")))
    return request


def signed(request: Request, identity: NodeIdentity = IDENTITY) -> Request:
    identity.sign(request)
    return request


async def _silence(_: ServerTransaction) -> None: ...


@asynccontextmanager
async def stranger() -> AsyncIterator[Endpoint]:
    """Open an endpoint that can send anything to a node."""
    async with Endpoint(on_request=_silence, timers=FAST) as endpoint:
        yield endpoint


async def ask(endpoint: Endpoint, node: TestNode, request: Request) -> Response:
    async with asyncio.timeout(5):
        return await endpoint.request(request, Hop("tls", "127.0.0.1", node.mesh, node.public_key)).final()


def test_a_signed_request_names_its_node() -> None:
    assert sender_of(signed(invite())) == IDENTITY.node_public_key


def test_the_cancel_of_an_invite_is_signed_for_itself() -> None:
    request = signed(invite())
    cancel = Request("CANCEL", request.uri, request.headers.copy())
    cancel.headers.set("CSeq", "1 CANCEL")
    with pytest.raises(Refusal):
        sender_of(cancel)
    for name, value in IDENTITY.cancel_headers(request):
        cancel.headers.set(name, value)
    cancel.body = b""
    assert sender_of(cancel) == IDENTITY.node_public_key


@pytest.mark.parametrize("cap", [1, 3])
def test_the_memory_against_replays_is_bounded(cap: int) -> None:
    memory = ReplayMemory(cap)
    for number in range(10):
        memory.refuse_replay(invite(f"c{number}"))
    assert len(memory) == cap
    with pytest.raises(Refusal):
        memory.refuse_replay(invite("c9"))


async def test_an_invite_without_identity_is_428() -> None:
    async with pair() as it, stranger() as eve:
        assert (await ask(eve, it.b, invite())).status == 428
        assert not it.book.admitted


@pytest.mark.parametrize("header", ["From", "To", "Call-ID", "CSeq", "body", "Identity"])
async def test_an_invite_that_was_changed_is_438(header: str) -> None:
    async with pair() as it, stranger() as eve:
        request = signed(invite())
        if header == "body":
            request.set_body(request.headers.get("Content-Type"), request.body.replace(b"AB:CD", b"AB:CE"))
        else:
            changed = {
                "From": "<sip:mallory@mesh>;tag=a",
                "To": "<sip:carol@mesh>",
                "Call-ID": "other",
                "CSeq": "2 INVITE",
                "Identity": (request.headers.get("Identity") or "").replace(".", ".A", 1),
            }
            request.headers.set(header, changed[header])
        refused = await ask(eve, it.b, request)
        assert (refused.status, refused.reason) == (
            438,
            "The signature of the calling node does not fit the call",
        )


@pytest.mark.parametrize(
    ("replaces", "status"),
    [("guess;to-tag=a;from-tag=b", 481), ("guess;to-tag=a", 400), ("x;to-tag=a;from-tag=b;early-only", 481)],
)
async def test_who_guesses_a_dialog_takes_nothing_over(replaces: str, status: int) -> None:
    async with pair() as it, stranger() as eve:
        call, rung = await it.talking()
        request = invite()
        request.headers.add("Replaces", replaces)
        assert (await ask(eve, it.b, signed(request))).status == status
        assert rung.inside.empty()
        await call.hang_up()
        await rung.ended()


async def test_a_replayed_invite_is_refused() -> None:
    async with pair() as it, stranger() as eve, stranger() as mallory:
        it.book.turned_away["sip:alice@mesh"] = Refusal(486, "Busy")
        request = signed(invite())
        assert (await ask(eve, it.b, request)).status == 486
        await it.b.idle()
        again = await ask(mallory, it.b, request)
        assert (again.status, len(it.book.admitted)) == (403, 1)


async def test_a_call_that_names_two_callees_is_400() -> None:
    async with pair() as it, stranger() as eve:
        assert (await ask(eve, it.b, signed(invite(to="sip:carol@mesh")))).status == 400


async def test_a_call_without_an_offer_or_with_two_is_refused() -> None:
    async with pair() as it, stranger() as eve:
        empty = invite("e")
        empty.set_body(None, b"")
        assert (await ask(eve, it.b, signed(empty))).status == 488
        double = invite("d")
        kind = double.headers.get("Content-Type")
        boundary = b"--" + (kind or "").partition("boundary=")[2].encode()
        part = boundary + b"\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n"
        double.set_body(kind, part + double.body)
        assert (await ask(eve, it.b, signed(double))).status == 400
        packed = invite("p")
        packed.headers.add("Content-Encoding", "gzip")
        assert (await ask(eve, it.b, signed(packed))).status == 415


async def test_options_between_nodes_must_be_signed_too_and_other_methods_are_not_done() -> None:
    async with pair() as it, stranger() as eve:
        for method, status in (("OPTIONS", 200), ("REGISTER", 405), ("REFER", 405), ("DANCE", 501)):
            request = invite()
            request.method = method
            request.headers.set("CSeq", f"1 {method}")
            request.set_body(None, b"")
            if method == "OPTIONS":
                assert (await ask(eve, it.b, request)).status == 428
            assert (await ask(eve, it.b, signed(request))).status == status


@pytest.mark.parametrize(
    ("signer", "status"), [(None, 428), (NodeIdentity(Ed25519PrivateKey.generate(), lambda: 1.0), 403)]
)
async def test_another_node_cannot_touch_a_call(signer: NodeIdentity | None, status: int) -> None:
    async with pair() as it, stranger() as eve:
        call, rung = await it.talking()
        (leg,) = [leg for leg in it.b.gateway._node.dialogs._legs.values() if leg.side == "mesh"]  # type: ignore[attr-defined]
        dialog = leg.dialog  # type: ignore[attr-defined]
        bye = Request("BYE", "sip:bob@mesh")
        for name, value in (
            ("Max-Forwards", "70"),
            ("From", str(dialog.remote)),
            ("To", str(dialog.local)),
            ("Call-ID", dialog.call_id),
            ("CSeq", "77 BYE"),
        ):
            bye.headers.add(name, value)
        bye.set_body(None, b"")
        if signer is not None:
            signer.sign(bye)
        assert (await ask(eve, it.b, bye)).status == status
        assert it.b.gateway.calls
        await call.hang_up()
        await rung.ended()


async def test_too_many_calls_from_one_node_are_busy() -> None:
    async with pair(limits=Limits(calls_per_peer=1)) as it:
        call, rung = await it.ringing()
        assert (await (await it.alice.call("sip:bob@mesh")).final()).status == 486
        await rung.say(486)
        await call.final()


async def test_nothing_personal_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with pair() as it:
        call, rung = await it.talking()
        await call.hang_up()
        await rung.ended()
        await (await it.alice.call("sip:nobody@mesh")).final()
    text = caplog.text
    for secret in ("alice", "bob", "nobody", "127.0.0.1", "pw"):
        assert secret not in text
