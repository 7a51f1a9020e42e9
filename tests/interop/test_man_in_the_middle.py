"""Somebody between two whole nodes who has stolen both node keys: dozens of calls, each of them found out."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from freecall.control.client import ControlClient
from tests.interop.conftest import MESH_PORT, Speech
from tests.kit.capture import Capture
from tests.kit.netns import Lan
from tests.kit.nodes import ROOT, DataDirectory, Node, resolves
from tests.kit.packets import is_plain, is_tls, kind_of_datagram, known_prefixes, rtp_payload, streams
from tests.kit.process import Program

pytestmark = [pytest.mark.interop, pytest.mark.namespaces]
TRIES = 60


def place(data: Path, speech: Path, seconds: float = 0.3) -> dict[str, Any]:
    """Call bob as fc-call does, without starting a process each time."""
    order = {"uri": "bob@mesh", "play": str(speech), "seconds": seconds}
    *_, last = ControlClient(data).stream("POST", "/v1/calls", order)
    result: dict[str, Any] = last["result"]
    return result


@pytest.mark.timeout(300)
async def test_a_thief_of_both_node_keys_is_found_out_in_every_call(voices: dict[str, Speech]) -> None:
    speech = voices["alice"][8_000]
    async with AsyncExitStack() as stack:
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
        alice, bob = nodes["alice"], nodes["bob"]
        await resolves(alice, bob)
        honest = await asyncio.to_thread(
            place, alice.data, speech, 2.0
        )  # long enough to know her speech again
        assert honest["signed"]
        assert honest["trust"] == "new"  # and pinned from now on

        up = asyncio.Event()
        thief = await Program.start(
            [
                *(
                    sys.executable,
                    "-m",
                    "tests.kit.thief",
                    "--caller",
                    str(alice.data),
                    "--callee",
                    str(bob.data),
                ),
                *("--listen", at["m"], "--at", at["b"], "--bootstrap", at["a"]),
            ],
            namespace=lan.namespace("m"),
            cwd=ROOT,
            on_line=lambda line: up.set() if line == "ready" else None,
        )
        stack.push_async_callback(thief.kill)
        async with asyncio.timeout(15):
            await up.wait()
        found = await alice.lookup("bob@mesh")
        assert found.json["claims"][0]["endpoints"] == [at["m"]], (
            "the thief controls where the DHT sends the call"
        )
        for wire in wires:
            wire.packets.clear()

        for number in range(TRIES):
            outcome = await asyncio.to_thread(place, alice.data, speech)
            assert not outcome["ok"], (number, outcome)
            assert not outcome["signed"], (number, outcome)
            assert outcome["status"] in (403, 480), (number, outcome, thief.stderr[-2000:])
        assert not alice.journal.has("call_secured", trust="pinned", signed=True)
        assert not bob.journal.has("call_secured", trust="pinned", signed=True)

        keyed = 0
        payloads = (rtp_payload(packet.payload) for packet in spoken.packets if packet.protocol == "udp")
        known = known_prefixes(payload for payload in payloads if payload is not None)
        assert len(known) >= 3, "what alice says is known, or the next check could not fail"
        for wire in wires:
            datagrams = [packet for packet in wire.packets if packet.protocol == "udp"]
            kinds = [kind_of_datagram(packet, {MESH_PORT}) for packet in datagrams]
            assert set(kinds) <= {"stun", "dtls", "srtp", "dht"}
            assert not [packet for packet in datagrams if is_plain(packet.payload, known)]
            keyed += kinds.count("dtls") > 2 * TRIES
            assert all(is_tls(data) for data in streams(wire.packets).values())
        assert keyed == 2, "the thief's own DTLS was up on both legs"
