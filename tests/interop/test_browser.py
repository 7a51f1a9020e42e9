"""Real browsers as phones: Chromium to Chromium and to baresip, each through two nodes."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from tests.interop.conftest import MESH_PORT, Speech
from tests.kit.baresip import Baresip
from tests.kit.capture import Capture, PhoneTraffic, is_run_of
from tests.kit.chromium import PROGRAM, Chromium
from tests.kit.netns import Lan
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import ended, phone_of, secured
from tests.kit.speech import likeness, main_frequency, read_wav

pytestmark = [
    pytest.mark.interop,
    pytest.mark.alone,
    pytest.mark.namespaces,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which(PROGRAM) is None, reason="no chromium; as root: apt install chromium"),
]
TALK_SECONDS = 2.0
RATE = 8_000
CONCEALED = 0.01
LIKE_ENOUGH = 0.8
"""Heard against said, 1 at best; another text of the same voice comes to 0.55."""


@dataclass(frozen=True)
class Place:
    """A node, its browser, and what is said there."""

    node: Node
    browser: Chromium
    speech: Mapping[int, Path]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(voices: dict[str, Speech]) -> AsyncIterator[list[Place]]:
    """Start two nodes on one switch, each with a browser beside it."""
    async with AsyncExitStack() as stack:
        lan = stack.enter_context(Lan("a", "b"))
        places: list[Place] = []
        for name, host in (("alice", "a"), ("bob", "b")):
            namespace = lan.namespace(host)
            node = Node(
                name,
                stack.enter_context(DataDirectory(name)),
                namespace=namespace,
                listen=f"{lan.address(host)}:{MESH_PORT}",
                bootstrap=[place.node.mesh_text for place in places],
                arguments=["--browser"],
            )
            await stack.enter_async_context(node)
            browser = Chromium(str(node.ready["browser"]), voices[name][48_000], namespace)
            places.append(Place(node, await stack.enter_async_context(browser), voices[name]))
        alice, bob = places
        await resolves(alice.node, bob.node)
        await resolves(bob.node, alice.node)
        yield places


@pytest_asyncio.fixture(loop_scope="module")
async def places(running: list[Place]) -> AsyncIterator[list[Place]]:
    """Return both places, their past forgotten; afterwards no node may have complained."""
    for place in running:
        place.node.journal.forget()
        place.browser.journal.forget()
        await place.browser.forget()
    yield running
    for place in running:
        place.node.assert_no_complaint()


def said(place: Place) -> np.ndarray:
    """Return what is said at a place, once and again: the fake microphone starts over."""
    _, samples = read_wav(place.speech[RATE])
    return np.concatenate([samples, samples])


async def concealed(browser: Chromium, name: str) -> float:
    """Talk for some time; return which part of the sound heard was made up, in the best of up to five stretches.

    Two browsers and two nodes on a busy machine get their turn late now and then, and then one of them makes up sound.
    """
    best = 1.0
    await browser.until_heard(25)
    for _ in range(5):
        before = (await browser.statistics(name))["inbound-rtp"]
        await asyncio.sleep(TALK_SECONDS)
        after = (await browser.statistics(name))["inbound-rtp"]
        assert after["packetsLost"] == 0
        assert after["totalSamplesDuration"] - before["totalSamplesDuration"] > 0.8 * TALK_SECONDS
        samples = after["totalSamplesReceived"] - before["totalSamplesReceived"]
        best = min(best, (after["concealedSamples"] - before["concealedSamples"]) / samples)
        if best < CONCEALED:
            break
    return best


async def test_two_browsers_talk_through_two_nodes_and_every_payload_arrives_as_it_was(
    places: list[Place],
) -> None:
    alice, bob = places
    near = await alice.browser.call(bob.node.uri)
    far = await bob.browser.answer()
    await alice.browser.news("answered")
    words = (await secured(alice.node, bob.node))["words"]
    for browser in (alice.browser, bob.browser):
        assert (await browser.news("event", event="call_secured"))["words"] == words
    async with asyncio.TaskGroup() as group:
        parts = [
            group.create_task(concealed(place.browser, name)) for place, name in ((alice, near), (bob, far))
        ]
    assert max(part.result() for part in parts) < CONCEALED
    for place, name in ((alice, near), (bob, far)):
        transport = (await place.browser.statistics(name))["transport"]
        assert transport["srtpCipher"] in ("SRTP_AEAD_AES_256_GCM", "AEAD_AES_256_GCM")
        assert transport["dtlsRole"] == "client"
    at_alice, at_bob = await alice.browser.frames(), await bob.browser.frames()
    for heard, spoken in ((at_bob["heard"], at_alice["said"]), (at_alice["heard"], at_bob["said"])):
        assert len(heard) >= 40 * TALK_SECONDS
        assert is_run_of(_bytes(heard), _bytes(spoken))
    for place, other in ((alice, bob), (bob, alice)):
        heard_there = np.array(await place.browser.heard(), np.int16)
        assert likeness(heard_there, said(other)) > LIKE_ENOUGH > likeness(heard_there, said(place))
    await alice.browser.hang_up(near)
    assert (await bob.browser.news("ended"))["reason"] == "hung up"
    await ended(alice.node, bob.node)


@pytest.mark.long
@pytest.mark.parametrize(("codec", "calls"), [("opus", "browser"), ("PCMU", "phone")])
async def test_a_browser_and_a_phone_talk_press_keys_and_each_hangs_up(
    places: list[Place], codec: str, calls: str
) -> None:
    alice, bob = places
    async with (
        Capture("lo", bob.node.namespace) as loopback,
        phone_of(bob.node, bob.speech, codec=codec) as phone,
        bob.browser.away(),
    ):
        rtp = PhoneTraffic(loopback, phone.rtp_ports)
        name = await _connect(alice, bob, phone, calls)
        await secured(*((alice.node, bob.node) if calls == "browser" else (bob.node, alice.node)))
        assert await concealed(alice.browser, name) < CONCEALED
        frames = await alice.browser.frames()
        assert is_run_of(_bytes(frames["heard"])[5:-5], rtp.spoken())
        assert is_run_of(rtp.heard()[5:-5], _bytes((await alice.browser.frames())["said"]))
        heard_there = np.array(await alice.browser.heard(), np.int16)
        assert likeness(heard_there, said(bob)) > LIKE_ENOUGH
        await alice.browser.press(name, "5")
        await phone.event("LOG", text="received event: '5' (end=1)")
        await _hears_a_key(alice.browser, phone)
        if calls == "browser":
            await phone.hang_up()
            await alice.browser.news("ended")
        else:
            await alice.browser.hang_up(name)
            await phone.event("CALL_CLOSED")
        await ended(alice.node, bob.node)
        rate, recorded = read_wav(phone.recordings()[-1])
        assert likeness(recorded[:: rate // RATE], said(alice)) > LIKE_ENOUGH


async def _connect(alice: Place, bob: Place, phone: Baresip, calls: str) -> str:
    if calls == "browser":
        name = await alice.browser.call(bob.node.uri)
        await phone.event("CALL_INCOMING")
        await phone.accept()
        await alice.browser.news("answered")
    else:
        await phone.dial(alice.node.uri)
        name = await alice.browser.answer()
    await phone.event("CALL_ESTABLISHED")
    return name


async def _hears_a_key(browser: Chromium, phone: Baresip) -> None:
    """Press 9 on the phone until the browser has heard it: 852 and 1477 hertz (ITU-T Q.23)."""
    before = len(await browser.heard())
    await phone.press("9")
    async with asyncio.timeout(10):
        while True:
            await asyncio.sleep(0.3)
            recent = np.array((await browser.heard())[before:], np.int16)
            windows = [recent[at : at + 400] for at in range(0, len(recent) - 400, 200)]
            if any(abs(main_frequency(w, RATE) - f) < 25 for w in windows for f in (852, 1_477)):
                return


@pytest.mark.long
async def test_a_call_is_declined_taken_back_or_ended_by_closing_the_page(places: list[Place]) -> None:
    alice, bob = places
    near = await alice.browser.call(bob.node.uri)
    await bob.browser.answer()
    await secured(alice.node, bob.node)
    async with bob.browser.away():
        assert "page was closed" in (await alice.browser.news("ended", id=near))["reason"]
    near = await alice.browser.call(bob.node.uri)
    ringing = await bob.browser.news("incoming")
    assert ringing["uri"] == alice.node.uri
    await bob.browser.hang_up(ringing["id"])
    assert (await alice.browser.news("ended", id=near))["status"] == 603
    near = await alice.browser.call(bob.node.uri)
    ringing = await bob.browser.news("incoming")
    await alice.browser.hang_up(near)
    await bob.browser.news("ended", id=ringing["id"])


@pytest.mark.long
async def test_each_side_holds_the_call_and_a_transfer_takes_the_browser_along(places: list[Place]) -> None:
    alice, bob = places
    async with phone_of(bob.node, bob.speech, codec="opus") as phone, bob.browser.away():
        name = await _connect(alice, bob, phone, "browser")
        await secured(alice.node, bob.node)
        assert await _flows(alice.browser, name)
        await phone.hold()
        assert "a=sendonly" in (await alice.browser.news("offer"))["sdp"]
        assert not await _flows(alice.browser, name)
        await phone.resume()
        assert "a=sendrecv" in (await alice.browser.news("offer"))["sdp"]
        await alice.browser.hold(name, is_held=True)
        assert not await _flows(alice.browser, name)
        await alice.browser.hold(name, is_held=False)
        assert await _flows(alice.browser, name)
        await phone.transfer("sip:echo@mesh")
        told = await alice.node.event("call_transferred")
        assert (told["part"], told["to"]) == ("transferee", "sip:echo@mesh")
        await alice.browser.news("event", event="call_secured", peer="sip:echo@mesh")
        assert await _flows(alice.browser, name)
        await alice.browser.hang_up(name)
        await phone.event("CALL_CLOSED")


async def _flows(browser: Chromium, name: str) -> bool:
    """Tell whether sound comes in, half a second from now on."""
    counts = []
    for _ in range(2):
        await asyncio.sleep(0.5)
        counts.append((await browser.statistics(name))["inbound-rtp"]["packetsReceived"])
    return bool(counts[1] - counts[0] > 10)


@pytest.mark.long
async def test_a_browser_hears_itself_from_the_echo(places: list[Place]) -> None:
    alice, _ = places
    name = await alice.browser.call("echo@mesh")
    await alice.browser.news("answered")
    assert await concealed(alice.browser, name) < CONCEALED
    assert likeness(np.array(await alice.browser.heard(), np.int16), said(alice)) > LIKE_ENOUGH
    await alice.browser.hang_up(name)
    await alice.node.event("call_ended")


def _bytes(frames: list[str]) -> list[bytes]:
    return [base64.b64decode(frame) for frame in frames]
