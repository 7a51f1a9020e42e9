"""Phones that know nothing of us, through two gateways with real TLS between."""

from __future__ import annotations

import shutil
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from sipgate.events import CallEnded, CallRefused
from tests.kit.baresip import Baresip, Line
from tests.kit.sipp import sipp

from .gateways import TestNode, nodes

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not shutil.which("baresip"), reason="baresip is not installed"),
]


def line(node: TestNode, *, secret: str | None = None) -> Line:
    return Line("127.0.0.1", node.phones, node.name, secret or f"{node.name}-pw")


@pytest.fixture
def silence(tmp_path: Path) -> Path:
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * 8000 * 10))
    return path


@asynccontextmanager
async def phones(
    silence: Path, *, transport: str = "udp"
) -> AsyncIterator[tuple[TestNode, TestNode, Baresip, Baresip]]:
    async with (
        nodes("alice", "bob") as (a, b),
        Baresip(line(a), silence, transport=transport) as alice,
        Baresip(line(b), silence, transport=transport) as bob,
    ):
        yield a, b, alice, bob


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_baresip_calls_baresip_holds_and_hangs_up(silence: Path, transport: str) -> None:
    async with phones(silence, transport=transport) as (a, b, alice, bob):
        await alice.dial("sip:bob@mesh")
        ringing = await bob.event("CALL_INCOMING")
        assert ringing["peeruri"] == "sip:alice@mesh"
        await alice.event("CALL_RINGING")
        await bob.accept()
        await alice.event("CALL_ESTABLISHED")
        await bob.event("CALL_ESTABLISHED")
        await alice.hold()
        await bob.event("CALL_REMOTE_SDP")
        await alice.resume()
        await bob.hang_up()
        await alice.event("CALL_CLOSED")
        for node, by in ((a, "peer"), (b, "phone")):
            ended = await node.event(CallEnded)
            assert isinstance(ended, CallEnded)
            assert ended.by == by
    assert "Alice · same key" in bob.log()


async def test_baresip_cancels_and_rejects(silence: Path) -> None:
    async with phones(silence) as (a, b, alice, bob):
        await alice.dial("sip:bob@mesh")
        await bob.event("CALL_INCOMING")
        await alice.event("CALL_RINGING")
        await alice.hang_up()
        await bob.event("CALL_CLOSED")
        await b.idle()
        await alice.dial("bob")
        await bob.event("CALL_INCOMING")
        await bob.hang_up()
        closed = await alice.event("CALL_CLOSED", param="486 Rejected")
        assert closed
        refused = await a.event(CallRefused)
        assert isinstance(refused, CallRefused)
        assert refused.status == 486


async def test_baresip_reads_why_a_call_was_refused(silence: Path) -> None:
    async with phones(silence) as (_, _, alice, _):
        await alice.dial("sip:nobody@mesh")
        closed = await alice.event("CALL_CLOSED")
        assert closed["param"] == "404 Nobody is called nobody@mesh"


async def test_sipp_registers_with_its_own_idea_of_the_digest_uri(tmp_path: Path) -> None:
    async with nodes("alice") as (a,):
        outcome = await sipp(
            "register", line(a), tmp_path, uri="sip:127.0.0.1", calls=20, keys={"expires": "60"}
        )
        assert outcome.code == 0, outcome
