"""A proxy with both stolen node keys between two whole nodes: changed messages, re-INVITEs to less, replays."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.attack.rig import NO_DTLS, PLAIN, STRANGE_CERTIFICATE
from tests.interop.conftest import MESH_PORT, Speech
from tests.interop.test_man_in_the_middle import place
from tests.kit.capture import Capture
from tests.kit.netns import Lan
from tests.kit.nodes import ROOT, DataDirectory, Node, resolves
from tests.kit.packets import is_plain, is_tls, kind_of_datagram, known_prefixes, rtp_payload, streams
from tests.kit.process import Program

BYE_FIRST = STRANGE_CERTIFICATE.replace("403", "480")
"""Bob's node has ended the call, with this reason, before Alice's has heard of it by DTLS."""

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="module")]


@dataclass
class Scene:
    """Alice and Bob know each other; the proxy stands between them; `answers` is what they say to it."""

    alice: Node
    bob: Node
    mode: Path
    answers: asyncio.Queue[str]
    proxy: Program
    wires: list[Capture]
    spoken: Capture
    speech: Path

    async def call(self, mode: str, seconds: float = 0.3) -> dict[str, Any]:
        """Let alice call bob while the proxy is in that mode."""
        self.mode.write_text(mode)
        return await asyncio.to_thread(place, self.alice.data, self.speech, seconds)

    async def says(self) -> str:
        """Return the next thing that a victim answers to the proxy."""
        async with asyncio.timeout(10):
            return await self.answers.get()

    def nothing_in_clear(self) -> None:
        """Look through all that the two nodes have had on the wire."""
        payloads = (rtp_payload(packet.payload) for packet in self.spoken.packets if packet.protocol == "udp")
        known = known_prefixes(payload for payload in payloads if payload is not None)
        assert len(known) > 10, "what alice says is known, or the next check could not fail"
        for wire in self.wires:
            datagrams = [packet for packet in wire.packets if packet.protocol == "udp"]
            assert {kind_of_datagram(packet, {MESH_PORT}) for packet in datagrams} <= {
                "stun",
                "dtls",
                "srtp",
                "dht",
            }
            assert not [packet for packet in datagrams if is_plain(packet.payload, known)]
            assert all(is_tls(data) for data in streams(wire.packets).values())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(voices: dict[str, Speech], tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """Let Alice and Bob get to know each other, then put the proxy between them."""
    async with AsyncExitStack() as stack:
        speech = voices["alice"][8_000]
        lan = stack.enter_context(Lan("a", "b", "m"))
        at = {host: f"{lan.address(host)}:{MESH_PORT}" for host in ("a", "b", "m")}
        wires = [await stack.enter_async_context(Capture("eth0", lan.namespace(host))) for host in ("a", "b")]
        spoken = await stack.enter_async_context(Capture("lo", lan.namespace("a")))
        nodes = {}
        for name, host in (("alice", "a"), ("bob", "b")):
            nodes[name] = await stack.enter_async_context(
                Node(
                    name,
                    stack.enter_context(DataDirectory(name)),
                    namespace=lan.namespace(host),
                    listen=at[host],
                    bootstrap=() if host == "a" else (at["a"],),
                    arguments=("--answer-with", "echo"),
                )
            )
        await resolves(nodes["alice"], nodes["bob"])
        assert (await asyncio.to_thread(place, nodes["alice"].data, speech))["signed"]
        mode = tmp_path_factory.mktemp("proxy") / "mode"
        mode.write_text("carry")
        up, answers = asyncio.Event(), asyncio.Queue[str]()
        victims = ("--caller", str(nodes["alice"].data), "--callee", str(nodes["bob"].data))
        proxy = await Program.start(
            [
                *(sys.executable, "-m", "tests.attack.proxy", *victims, "--mode", str(mode)),
                *("--listen", at["m"], "--at", at["b"], "--bootstrap", at["a"]),
            ],
            namespace=lan.namespace("m"),
            cwd=ROOT,
            on_line=lambda line: up.set() if line == "ready" else answers.put_nowait(line),
        )
        stack.push_async_callback(proxy.kill)
        async with asyncio.timeout(15):
            await up.wait()
        found = await nodes["alice"].lookup("bob@mesh")
        assert found.json["claims"][0]["endpoints"] == [at["m"]]
        yield Scene(nodes["alice"], nodes["bob"], mode, answers, proxy, wires, spoken, speech)


async def test_a_call_that_is_only_carried_is_signed(scene: Scene) -> None:
    outcome = await scene.call("carry")
    assert outcome["ok"], (outcome, scene.proxy.stderr[-2000:])
    assert outcome["trust"] == "pinned"


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("invite-plain", PLAIN),
        ("invite-sdes", PLAIN),
        ("answer-plain", PLAIN),
        ("answer-sdes", PLAIN),
        ("invite-print", (STRANGE_CERTIFICATE, BYE_FIRST, NO_DTLS)),
    ],
)
async def test_a_changed_description_ends_the_call_with_a_sentence(
    scene: Scene, mode: str, says: str
) -> None:
    outcome = await scene.call(mode)
    assert not outcome["ok"], (outcome, scene.proxy.stderr[-2000:])
    assert not outcome["signed"]
    assert f"{outcome['status']} {outcome['reason']}".startswith(says), outcome
    if mode in ("invite-plain", "invite-sdes"):
        told = await scene.bob.event("call_refused", status=488)
        assert told["reason"] == outcome["reason"]
    if mode == "invite-print":
        assert f"403 {(await scene.bob.event('call_ended', status=403))['reason']}" == STRANGE_CERTIFICATE


@pytest.mark.parametrize("mode", ["reinvite-plain", "reinvite-sdes"])
async def test_a_call_that_is_asked_to_go_on_with_less_says_no_and_goes_on(scene: Scene, mode: str) -> None:
    outcome = await scene.call(mode, seconds=2.5)
    assert outcome["ok"], (outcome, scene.proxy.stderr[-2000:])
    assert sorted([await scene.says(), await scene.says()]) == [f"callee {PLAIN}", f"caller {PLAIN}"]


async def test_an_invite_that_comes_again_by_another_way_makes_no_second_call(scene: Scene) -> None:
    assert (await scene.call("replay", seconds=2))["ok"]
    assert await scene.says() == "callee 482 Loop Detected"


async def test_nothing_has_been_in_clear(scene: Scene) -> None:
    scene.nothing_in_clear()
