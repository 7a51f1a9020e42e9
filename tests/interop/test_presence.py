"""Real phones see who is there, and who has called in vain."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from freecall.control.client import ControlClient
from tests.interop.conftest import Speech
from tests.kit.baresip import Baresip, Line
from tests.kit.capture import Capture
from tests.kit.linphone import Linphone
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import connect, ended, ring, secured

pytestmark = [pytest.mark.interop, pytest.mark.asyncio]
MODULES = ("contact", "presence", "mwi")


@asynccontextmanager
async def two_nodes() -> AsyncIterator[tuple[Node, Node]]:
    """Start alice and bob, strangers to each other."""
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        (other / "config.toml").write_text("[calls]\nstrangers_per_hour = 10\n")
        async with Node("alice", one) as alice, Node("bob", other, bootstrap=[alice.mesh_text]) as bob:
            await resolves(alice, bob)
            await resolves(bob, alice)
            yield alice, bob


def phone(node: Node, voices: dict[str, Speech], *, watches: str = "", publishes: bool = False) -> Baresip:
    """Return a baresip with one contact whose presence it asks for."""
    contacts = [f'"friend" <{watches}>;presence=p2p'] if watches else []
    return Baresip(
        Line.of(node), voices["alice"][8_000], modules=MODULES, contacts=contacts, publishes=publishes
    )


async def get_to_know(near: Baresip, far: Baresip, alice: Node, bob: Node) -> None:
    """Let them talk once: then the keys are pinned on both sides."""
    await connect(near, far, bob.uri)
    await secured(alice, bob)
    await near.hang_up()
    await ended(alice, bob)


async def shows(near: Baresip, state: str, *, timeout: float = 15) -> None:
    """Wait until the phone shows its contact as Online or Offline."""
    async with asyncio.timeout(timeout):
        while f"{state}\x1b" not in await near.ask("contacts"):  # noqa: ASYNC110 - it only tells when asked
            await asyncio.sleep(0.1)


async def test_a_baresip_sees_another_come_and_go_once_they_have_talked(voices: dict[str, Speech]) -> None:
    async with two_nodes() as (alice, bob), phone(alice, voices, watches="sip:bob@mesh") as near:
        async with phone(bob, voices, publishes=True) as far:
            await shows(near, "Offline")
            await get_to_know(near, far, alice, bob)
            await shows(near, "Online")
        await shows(near, "Offline")
        async with phone(bob, voices):
            await shows(near, "Online")


@pytest.mark.long
async def test_who_vanishes_is_soon_shown_as_gone(voices: dict[str, Speech]) -> None:
    async with (
        two_nodes() as (alice, bob),
        phone(alice, voices, watches="sip:bob@mesh") as near,
        phone(bob, voices) as far,
    ):
        await get_to_know(near, far, alice, bob)
        await shows(near, "Online")
        await bob.kill()
        far.kill()
        await shows(near, "Offline")


@pytest.mark.namespaces
async def test_linphone_and_baresip_see_each_other(voices: dict[str, Speech]) -> None:
    async with two_nodes() as (alice, bob), Capture("lo") as wire:
        async with phone(bob, voices, watches="sip:alice@mesh") as far:
            line = Line.of(alice)
            speech = voices["alice"][8_000]
            async with Linphone(line, speech, friends=["sip:bob@mesh"], publishes=True) as near:
                await near.says("is Offline")
                near.command(f"call {bob.uri}")
                await far.event("CALL_INCOMING")
                await far.accept()
                await secured(alice, bob)
                await far.hang_up()
                await ended(alice, bob)
                await near.says("is Online")
                await shows(far, "Online")
            await shows(far, "Offline")
        answers = [
            packet
            for packet in wire.packets
            if packet.source[1] == alice.phones[1] and b"SIP-ETag: " in packet.payload
        ]
        assert len(answers) >= 2  # published, and taken back


async def test_a_missed_call_lights_the_lamp_and_says_who_and_how_trusted(voices: dict[str, Speech]) -> None:
    async with two_nodes() as (alice, bob), phone(alice, voices) as near:
        await near.dial(bob.uri)
        missed = await bob.event("call_missed")
        assert (missed["user"], missed["peer"], missed["trust"]) == ("bob", alice.uri, "new")
        async with phone(bob, voices) as far:
            await mwi(far, 1)
            assert 'From: "alice · new person" <sip:alice@mesh>' in far.log()
            await ring(near, far, bob.uri)
            await near.hang_up()
            await bob.event("call_missed")
            await mwi(far, 2)
            client = ControlClient(bob.data)
            listed = await asyncio.to_thread(client.request, "GET", "/v1/missed")
            assert [each["peer"] for each in listed["missed"]] == [alice.uri] * 2
            await get_to_know(near, far, alice, bob)  # who has been talked to is no longer missed
            await mwi(far, 0)
            assert await asyncio.to_thread(client.request, "GET", "/v1/missed") == {"missed": []}


async def mwi(near: Baresip, count: int) -> None:
    """Wait until the phone was told last of that many calls."""
    async with asyncio.timeout(10):
        while re.findall(r"Voice-Message: (\d+)/0", near.log())[-1:] != [str(count)]:  # noqa: ASYNC110 - a log has no event
            await asyncio.sleep(0.05)
