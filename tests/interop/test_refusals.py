"""Calls that do not come about: the right SIP status reaches the phone, at once, with a sentence."""

import dataclasses

import pytest

from tests.interop.conftest import Pair
from tests.kit.baresip import Baresip, Line
from tests.kit.capture import sip_messages
from tests.kit.nodes import DataDirectory, Node, resolves

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="session")]


def reason_of(pair: Pair, phone: Baresip, status: int) -> str:
    """Return the text of the Reason header in the last final answer with this status that the phone got."""
    answers = [
        message
        for message in sip_messages(pair.alice.loopback, towards=phone.sip_port)
        if message.startswith(f"SIP/2.0 {status} ")
    ]
    assert answers, f"no {status} reached the phone"
    reasons = [line for line in answers[-1].splitlines() if line.lower().startswith("reason:")]
    assert reasons, answers[-1]
    return reasons[0].partition('text="')[2].rstrip('"')


async def test_a_caller_who_gives_up_stops_the_ringing(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        await near.dial(pair.bob.node.uri)
        await far.event("CALL_INCOMING")
        await near.event("CALL_RINGING", "CALL_PROGRESS")
        await near.hang_up()
        await far.event("CALL_CLOSED", timeout=3)
        await near.event("CALL_CLOSED", timeout=3)
        for node in (pair.alice.node, pair.bob.node):
            await node.event("call_ended", "call_refused", timeout=3)


async def test_a_busy_phone_says_so(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        await near.dial(pair.bob.node.uri)
        await far.event("CALL_INCOMING")
        await far.hang_up()
        closed = await near.event("CALL_CLOSED", timeout=3)
        assert closed["param"].startswith("486")
        await pair.alice.node.event("call_refused", status=486)


async def test_a_name_that_nobody_claims_is_not_found(pair: Pair) -> None:
    async with pair.alice.phone() as near:
        await near.dial("sip:nobody.at.all@mesh")
        closed = await near.event("CALL_CLOSED", timeout=5)
        assert closed["param"].startswith("404")
        await pair.alice.node.event("call_refused", status=404)
        assert reason_of(pair, near, 404)


async def test_somebody_without_a_phone_is_away(pair: Pair) -> None:
    carol = Node(
        "carol",
        (folder := DataDirectory("carol")).path,
        namespace=pair.bob.node.namespace,
        listen=f"{pair.bob.node.mesh[0]}:7360",
        sip="127.0.0.1:5080",
        bootstrap=[pair.alice.node.mesh_text],
    )
    with folder:
        async with carol, pair.alice.phone() as near:
            await resolves(pair.alice.node, carol)
            await near.dial(carol.uri)
            closed = await near.event("CALL_CLOSED", timeout=5)
            assert closed["param"].startswith("480")
            await pair.alice.node.event("call_refused", status=480)
            assert reason_of(pair, near, 480)


async def test_a_wrong_password_does_not_register(pair: Pair) -> None:
    wrong = dataclasses.replace(Line.of(pair.alice.node), password="guessed")
    phone = Baresip(wrong, pair.alice.speech[8_000], pair.alice.node.namespace, must_register=False)
    async with phone:
        refused = await pair.alice.node.event("registration_refused")
        assert refused["reason"]
        await phone.journal.wait_until(lambda event: "403" in event.get("text", ""), "403 in the log")
    assert not pair.alice.node.journal.has("phone_registered")
