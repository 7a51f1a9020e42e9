"""A phone behind a router of its own, its node on the other side: it registers, calls, is called, and is heard."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from media.protocol.g711 import decode
from tests.kit.baresip import Baresip, Line
from tests.kit.capture import Capture, PhoneTraffic
from tests.kit.internet import Internet, Router
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import answer, connect, ended, phone_of, ring, secured
from tests.kit.speech import main_frequency, make_tone

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio]
RATE = 8_000
ONE_SECOND = 50
INSIDE = "192.168.1.2"
TONES = {"alice": 440, "bob": 620}


@dataclass(frozen=True)
class Scene:
    """Alice's phone at home, behind a router; her node, and bob with his phone beside his, in the office."""

    alice: Node
    bob: Node
    phone: Baresip
    bobs: Baresip
    home: Capture
    office: Capture

    async def hear_each_other(self) -> None:
        """Wait until each phone hears the other one's tone."""
        for capture, phone, name in ((self.home, self.phone, "bob"), (self.office, self.bobs, "alice")):
            traffic = PhoneTraffic(capture, phone.rtp_ports)
            await traffic.until_heard(2 * ONE_SECOND)
            sound = decode("PCMU", b"".join(traffic.heard()[-ONE_SECOND:]))
            assert abs(main_frequency(np.frombuffer(sound, dtype="<i2"), RATE) - TONES[name]) < 5, name


@asynccontextmanager
async def scene(
    folder: Path, router: Router, transport: str, *, keeps_flow: bool = False
) -> AsyncIterator[Scene]:
    tones = {name: make_tone(folder / f"{name}.wav", hertz) for name, hertz in TONES.items()}
    with (
        Internet("office", "home", homes={"home": router}) as world,
        DataDirectory("alice") as one,
        DataDirectory("bob") as other,
    ):
        office, home, address = world.namespace("office"), world.namespace("home"), world.address("office")
        alices = Node("alice", one, office, listen=f"{address}:7350", sip=f"{address}:5060")
        bobs = Node("bob", other, office, listen=f"{address}:7351", bootstrap=[f"{address}:7350"])
        async with (
            Capture("eth0", home) as inner,
            Capture("lo", office) as loopback,
            alices as alice,
            bobs as bob,
            phone_of(bob, {RATE: tones["bob"]}) as far,
        ):
            await resolves(alice, bob)
            await resolves(bob, alice)
            near = Baresip(
                Line.of(alice),
                tones["alice"],
                home,
                address=INSIDE,
                transport=transport,
                keeps_flow=keeps_flow,
            )
            async with near as phone:
                registered = await alice.event("phone_registered")
                assert INSIDE in registered["contact"]
                yield Scene(alice, bob, phone, far, inner, loopback)


@pytest.mark.parametrize(
    ("router", "transport", "keeps_flow"),
    [
        (Router.PORT_RESTRICTED, "udp", False),
        pytest.param(Router.SYMMETRIC, "udp", False, marks=pytest.mark.long),
        pytest.param(Router.PORT_RESTRICTED, "tcp", False, marks=pytest.mark.long),
        (Router.SYMMETRIC, "tcp", True),
    ],
)
async def test_a_phone_behind_a_router_calls_and_is_called_and_is_heard_both_ways(
    tmp_path: Path, router: Router, transport: str, keeps_flow: bool
) -> None:
    async with scene(tmp_path, router, transport, keeps_flow=keeps_flow) as it:
        await connect(it.bobs, it.phone, it.alice.uri)
        await secured(it.bob, it.alice)
        await it.hear_each_other()
        await it.bobs.hang_up()
        await it.phone.event("CALL_CLOSED")
        await ended(it.alice, it.bob)
        await ring(it.phone, it.bobs, it.bob.uri)
        await answer(it.phone, it.bobs)
        await secured(it.alice, it.bob)
        await it.hear_each_other()
        await it.phone.hang_up()
        await it.bobs.event("CALL_CLOSED")
        await ended(it.alice, it.bob)


async def test_a_phone_that_keeps_its_connection_is_gone_with_it(tmp_path: Path) -> None:
    async with scene(tmp_path, Router.PORT_RESTRICTED, "tcp", keeps_flow=True) as it:
        it.phone.kill()
        await it.alice.event("phone_unregistered", timeout=5)
        call = await it.bob.call(it.alice.uri)
        assert (call.json["status"], call.json["reason"]) == (480, "No phone of alice is switched on")
