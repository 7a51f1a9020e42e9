"""Phones on their nodes' own machines that insist on SRTP: called as such, and from end to end where both do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.interop.conftest import Speech
from tests.kit.baresip import Baresip, Line
from tests.kit.capture import Capture, PhoneTraffic
from tests.kit.linphone import Linphone
from tests.kit.nodes import ROOT, DataDirectory, Node, command, resolves
from tests.kit.process import run
from tests.kit.site import answer, ended, ring, secured
from tests.kit.speech import frames_recognised, read_wav, voiced_frames

pytestmark = [pytest.mark.interop, pytest.mark.asyncio]

ONE_SECOND = 50
RATE = 8_000


def heard_by(phone: Baresip, said: Speech) -> int:
    return frames_recognised(read_wav(phone.recordings()[-1])[1], read_wav(said[RATE])[1])


@asynccontextmanager
async def two() -> AsyncIterator[tuple[Node, Node]]:
    """Alice's and Bob's node, who find each other."""
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with Node("alice", one) as alice, Node("bob", other, bootstrap=[alice.mesh_text]) as bob:
            await resolves(alice, bob)
            await resolves(bob, alice)
            yield alice, bob


async def test_two_that_insist_are_secured_from_end_to_end(voices: dict[str, Speech]) -> None:
    async with (
        Capture("lo") as wire,
        two() as (alice, bob),
        Baresip(Line.of(alice), voices["alice"][RATE], encryption="srtp-mand") as near,
        Baresip(Line.of(bob), voices["bob"][RATE], encryption="srtp-mand") as far,
    ):
        await ring(near, far, bob.uri)
        await answer(near, far)
        await secured(alice, bob)
        for node in (alice, bob):
            assert (await node.event("phones_secure_themselves"))["by"] == "SRTP"
        traffic = PhoneTraffic(wire, far.rtp_ports)
        await traffic.until_heard(6 * ONE_SECOND)  # a report of baresip comes each five seconds
        await far.press("7")
        assert (await near.event("CALL_DTMF_START"))["param"] == "7"
        await near.hang_up()
        await ended(alice, bob)
        for phone, peer in ((near, far), (far, near)):
            sent = {packet.payload for packet in wire.packets if packet.source[1] in phone.rtp_ports}
            got = [packet.payload for packet in wire.packets if packet.destination[1] in peer.rtp_ports]
            assert len(got) > 5 * ONE_SECOND
            assert set(got) <= sent, "byte for byte"
            assert any(192 <= payload[1] <= 223 for payload in got), "reports, too"
        assert heard_by(near, voices["bob"]) > ONE_SECOND
        assert heard_by(far, voices["alice"]) > ONE_SECOND
        for node in (alice, bob):
            assert (await node.event("call_quality", final=True))["lost"] == 0
            told = (await run(command("calls", "--data", str(node.data), "history"), cwd=ROOT)).stdout
            assert "the phones secure themselves (SRTP, whose keys the nodes know)" in told


@pytest.mark.parametrize("by_plain", [True, False])
async def test_one_that_insists_and_one_that_is_plain_are_joined_by_their_nodes(
    voices: dict[str, Speech], *, by_plain: bool
) -> None:
    async with (
        two() as (alice, bob),
        Capture("lo") as wire,
        Baresip(Line.of(alice), voices["alice"][RATE], encryption="srtp-mand") as near,
        Baresip(Line.of(bob), voices["bob"][RATE]) as far,
    ):
        caller, callee, uri = (far, near, alice.uri) if by_plain else (near, far, bob.uri)
        await ring(caller, callee, uri)
        await answer(caller, callee)
        await PhoneTraffic(wire, far.rtp_ports).until_heard(2 * ONE_SECOND)
        await PhoneTraffic(wire, near.rtp_ports).until_heard(2 * ONE_SECOND)
        await near.press("5")
        assert (await far.event("CALL_DTMF_START"))["param"] == "5"
        await near.hang_up()
        await ended(alice, bob)
        assert heard_by(near, voices["bob"]) > ONE_SECOND
        assert heard_by(far, voices["alice"]) > ONE_SECOND
        for node in (alice, bob):
            assert not node.journal.has("phones_secure_themselves")


@pytest.mark.parametrize("by_baresip", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_phones_of_two_kinds_are_secured_from_end_to_end(
    voices: dict[str, Speech], *, by_baresip: bool
) -> None:
    async with (
        two() as (alice, bob),
        Capture("lo") as wire,
        Baresip(Line.of(alice), voices["alice"][RATE], encryption="srtp-mand") as near,
        Linphone(Line.of(bob), voices["bob"][RATE], encryption="srtp") as far,
    ):
        await bob.event("phone_registered")
        if by_baresip:
            await near.dial(bob.uri)
        else:
            far.command(f"call {alice.uri}")
            await near.event("CALL_INCOMING")
            await near.accept()
        await near.event("CALL_ESTABLISHED")
        for node in (alice, bob):
            assert (await node.event("phones_secure_themselves"))["by"] == "SRTP"
        await PhoneTraffic(wire, near.rtp_ports).until_heard(4 * ONE_SECOND)
        await near.hang_up()
        await far.says("Call terminated", "ended")
        await ended(alice, bob)
        assert heard_by(near, voices["bob"]) > ONE_SECOND
        assert len(voiced_frames(read_wav(far.recording)[1])) > ONE_SECOND
