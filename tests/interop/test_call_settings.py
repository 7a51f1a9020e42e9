"""Do not disturb and call waiting, between two nodes with real phones."""

import asyncio

import pytest

from freecall.control.client import ControlClient
from tests.interop.conftest import Speech
from tests.kit.nodes import ROOT, DataDirectory, Node, command, resolves
from tests.kit.process import run
from tests.kit.site import connect, ended, phone_of

pytestmark = [pytest.mark.interop, pytest.mark.asyncio]


async def test_who_is_not_to_be_disturbed_or_is_in_a_call_is_busy_and_misses_it(
    voices: dict[str, Speech],
) -> None:
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with (
            Node("alice", one) as alice,
            Node("bob", other, bootstrap=[alice.mesh_text]) as bob,
            phone_of(alice, voices["alice"]) as near,
            phone_of(bob, voices["bob"]) as far,
        ):
            await resolves(alice, bob)
            switched = await run(
                command("calls", "--data", str(other), "settings", "--do-not-disturb", "on"), cwd=ROOT
            )
            assert switched.stdout.startswith("do not disturb: on\ncall waiting: on\nforward always: off\n")
            await bob.event("settings_changed")
            refused = await alice.call(bob.uri)
            assert (refused.json["status"], refused.json["reason"]) == (
                486,
                "bob does not want to be disturbed now",
            )
            assert (await bob.event("call_missed"))["peer"] == alice.uri
            assert not far.journal.has("CALL_INCOMING")
            changes = {"do_not_disturb": False, "call_waiting": False}
            await asyncio.to_thread(ControlClient(other).request, "PATCH", "/v1/settings", changes)
            await connect(near, far, bob.uri)
            second = await alice.call(bob.uri)
            assert (second.json["status"], second.json["reason"]) == (486, "bob is in a call")
            await near.hang_up()
            await ended(bob)
            for code, done in (("*78", True), ("*60", True), ("*86", True)):
                await far.dial(f"sip:{code}@mesh")
                told = await bob.event("dial_code")
                assert (told["code"], told["done"]) == (code, done)
                await far.event("CALL_ESTABLISHED")
                await far.hang_up()
                await far.event("CALL_CLOSED")
            assert (await bob.event("person_blocked"))["fingerprint"] == alice.ready["fingerprint"]
            stranger = await alice.call("sip:*78@mesh")
            assert stranger.code == 0, "it is alice's own"
            unknown = await alice.call("sip:*11@mesh")
            assert (unknown.json["status"], unknown.json["reason"]) == (404, "There is no dial code *11.")
