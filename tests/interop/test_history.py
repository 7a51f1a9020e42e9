"""`fc-calls` at two real nodes: calls in progress, the history on both sides, and what is left after it was erased."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from freecall.control.client import ControlClient
from freecall.history import DAY
from tests.kit.journal import Event
from tests.kit.nodes import ROOT, DataDirectory, Node, command, resolves
from tests.kit.process import run
from tests.kit.sip_phone import SipPhone

CONTACTS = "pins.json"
"""Who is known, whether they were called or not: no trace of a call (docs/operate.md)."""


@dataclass(frozen=True)
class Two:
    """Two nodes that find each other; bob's answers by itself."""

    alice: Node
    bob: Node


@asynccontextmanager
async def two(alice_data: Path, bob_data: Path) -> AsyncIterator[Two]:
    """Run them."""
    async with (
        Node("wilhelmina", alice_data) as alice,
        Node("theodore", bob_data, bootstrap=[alice.mesh_text], arguments=["--answer-with", "echo"]) as bob,
    ):
        await resolves(alice, bob)
        await resolves(bob, alice)
        yield Two(alice, bob)


async def calls(node: Node, *arguments: str) -> str:
    """Run `fc-calls`; return what it prints."""
    outcome = await run(command("calls", "--data", str(node.data), *arguments), cwd=ROOT)
    assert outcome.code == 0, outcome
    return outcome.stdout


async def asked(node: Node, *arguments: str) -> Mapping[str, Any]:
    """Run `fc-calls ... --json`; return its object."""
    answer: dict[str, Any] = json.loads(await calls(node, *arguments, "--json"))
    return answer


async def ends_with(code: int, *arguments: str, data: Path) -> str:
    """Run `fc-calls`, which must fail with that status; return its sentence."""
    outcome = await run(command("calls", "--data", str(data), *arguments), cwd=ROOT)
    assert outcome.code == code, outcome
    assert "Traceback" not in outcome.stderr
    return outcome.stderr


def traces(data: Path, other: Node, started: Event) -> list[str]:
    """Return the files that tell of a call with the other node: by name, key or Call-ID, in any spelling."""
    key, name, call_id = other.ready["fingerprint"], other.ready["name"], started["call_id"]
    words = [word.encode() for word in (key, key.lower(), name, call_id, started["call"])]
    words += [bytes.fromhex(key), other.uri.encode()]
    return [
        str(path.relative_to(data))
        for path in data.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in words)
    ]


async def test_a_call_is_listed_ended_remembered_and_forgotten() -> None:
    with DataDirectory("a") as near, DataDirectory("b") as far:
        async with two(near, far) as both:
            alice, bob = both.alice, both.bob
            assert await calls(alice) == "No calls now.\n"
            assert await calls(alice, "history") == "No calls are remembered.\n"
            async with asyncio.TaskGroup() as group:
                calling = group.create_task(alice.call(bob.uri, "--seconds", "60"))
                placed = await alice.event("call_started", timeout=30)
                for node in (alice, bob):
                    await node.event("call_secured", timeout=30)
                taken = await bob.event("call_started")

                (mine,) = (await asked(alice, "list"))["calls"]
                assert (mine["call"], mine["peer"], mine["direction"]) == (placed["call"], bob.uri, "out")
                assert (mine["state"], mine["signed"], mine["trust"]) == ("answered", True, "new")
                assert mine["fingerprint"] == bob.ready["fingerprint"]
                (theirs,) = (await asked(bob, "list"))["calls"]
                assert (theirs["peer"], theirs["direction"]) == (alice.uri, "in")
                assert "to theodore@mesh (new person): 0:" in await calls(alice)
                assert (await asked(alice, "history"))["history"] == []

                assert await calls(alice, "hangup", mine["call"]) == "Hung up.\n"
                assert (await calling).json["status"] == 200
            await bob.event("call_ended")
            for node in (alice, bob):
                await node.event("call_quality")
            assert await calls(alice, "list") == "No calls now.\n"
            assert "no such call" in await ends_with(1, "hangup", mine["call"], data=near)

            (out,) = (await asked(alice, "history"))["history"]
            (came,) = (await asked(bob, "history"))["history"]
            assert (out["direction"], out["peer"], out["by"], out["status"]) == ("out", bob.uri, "node", 200)
            assert (came["direction"], came["peer"], came["by"]) == ("in", alice.uri, "peer")
            for each in (out, came):
                assert each["answered"]
                assert each["signed"]
                assert not each["missed"]
                assert abs(each["started_at"] - placed["at"]) < 10
                assert 0 < each["duration"] < 60
                assert each["mos"] > 4
                assert each["loss"] == 0
            shown = await calls(bob, "history")
            assert "from wilhelmina@mesh (new person): 0:" in shown
            assert "signed, sound good (0.0 % lost, jitter " in shown

            assert (await alice.call("nobody.of.this.name@mesh")).code == 1
            last = (await asked(alice, "history", "--last", "1"))["history"]
            assert [(each["peer"], each["status"]) for each in last] == [
                ("sip:nobody.of.this.name@mesh", 404)
            ]

        async with two(near, far) as both:
            alice, bob = both.alice, both.bob
            assert len((await asked(alice, "history"))["history"]) == 2, "a restart forgets nothing"
            assert sorted(traces(near, bob, placed)) == ["history", CONTACTS]
            assert sorted(traces(far, alice, taken)) == ["history", CONTACTS]
            assert await calls(alice, "history", "--erase") == "Forgotten: 2 calls.\n"
            assert (await asked(bob, "history", "--erase")) == {"erased": 1}
            assert await calls(alice, "history") == "No calls are remembered.\n"
            assert traces(near, bob, placed) == [CONTACTS]
            assert traces(far, alice, taken) == [CONTACTS]
        for data, other, started in ((near, bob, placed), (far, alice, taken)):
            assert traces(data, other, started) == [CONTACTS], "nor does a stop bring it back"


async def test_a_call_while_no_phone_is_on_is_missed_until_it_is_erased() -> None:
    with DataDirectory("a") as near, DataDirectory("b") as far:
        async with (
            Node("wilhelmina", near) as alice,
            Node("theodore", far, bootstrap=[alice.mesh_text]) as bob,
        ):
            await resolves(alice, bob)
            await resolves(bob, alice)
            assert await calls(bob, "history", "--missed") == "No missed calls.\n"
            assert (await alice.call(bob.uri, "--seconds", "1")).code == 1
            await bob.event("call_missed")
            (missed,) = (await asked(bob, "history", "--missed"))["history"]
            assert (missed["peer"], missed["direction"], missed["trust"]) == (alice.uri, "in", "new")
            assert (await calls(bob, "history", "--missed")).endswith(
                "from wilhelmina@mesh (new person): missed\n"
            )
            assert (await asked(alice, "history", "--missed"))["history"] == [], "she called, and missed none"
            (tried,) = (await asked(alice, "history"))["history"]
            assert (tried["peer"], tried["answered"], tried["status"]) == (bob.uri, False, 480)
            control = ControlClient(far)
            assert len((await asyncio.to_thread(control.request, "GET", "/v1/missed"))["missed"]) == 1
            assert await calls(bob, "history", "--erase") == "Forgotten: 1 call.\n"
            assert await asyncio.to_thread(control.request, "GET", "/v1/missed") == {"missed": []}
            assert await calls(bob, "history", "--missed") == "No missed calls.\n"


async def test_a_call_that_is_hung_up_while_it_rings_is_missed_at_the_other_side() -> None:
    with DataDirectory("a") as near, DataDirectory("b") as far:
        async with (
            Node("wilhelmina", near) as alice,
            Node("theodore", far, bootstrap=[alice.mesh_text]) as bob,
            SipPhone("theodore", bob.phones[1], secret=bob.account["secret"]) as phone,
            asyncio.TaskGroup() as group,
        ):
            await resolves(alice, bob)
            await resolves(bob, alice)
            await phone.register()
            calling = group.create_task(alice.call(bob.uri))
            rings = await phone.rung()
            await alice.event("call_ringing", timeout=30)
            (ringing,) = (await asked(alice, "list"))["calls"]
            assert (ringing["state"], ringing["answered"], ringing["duration"]) == ("ringing", False, 0)
            await calls(alice, "hangup", ringing["call"])
            await rings.cancelled()
            assert (await calling).code == 1
            await bob.event("call_missed")
            (missed,) = (await asked(bob, "history"))["history"]
            assert (missed["peer"], missed["missed"], missed["answered"]) == (alice.uri, True, False)
            (tried,) = (await asked(alice, "history"))["history"]
            assert (tried["missed"], tried["answered"]) == (False, False)
            assert "not connected" in await calls(alice, "history")


@pytest.mark.long
async def test_a_call_that_has_become_too_old_leaves_no_trace() -> None:
    with DataDirectory("a") as near:
        async with Node("wilhelmina", near) as node:
            assert (await node.call("echo@mesh", "--seconds", "0.5")).json["ok"]
            started = await node.event("call_started")
            (only,) = (await asked(node, "history"))["history"]
            assert (only["peer"], only["trust"], only["signed"]) == ("sip:echo@mesh", "self", True)
        file = near / "history"
        file.write_text(json.dumps({**only, "started_at": only["started_at"] - 31 * DAY}) + "\n")
        async with Node("wilhelmina", near) as node:
            assert await calls(node, "history") == "No calls are remembered.\n"
        assert not file.exists()

        (near / "config.toml").write_text("[calls]\nhistory_days = 0\n")
        async with Node("wilhelmina", near) as node:
            assert (await node.call("echo@mesh", "--seconds", "0.5")).json["ok"]
            assert await calls(node, "history") == "No calls are remembered.\n"
        assert not file.exists()
        words = (started["call_id"].encode(), b"echo@mesh")
        left = [path for path in near.rglob("*") if path.is_file()]
        assert [path for path in left if any(word in path.read_bytes() for word in words)] == []


async def test_what_is_wrong_is_a_sentence_and_a_status(data: Path) -> None:
    assert "No node runs" in await ends_with(3, data=data)
    for arguments in (
        ["nonsense"],
        ["hangup"],
        ["history", "--last", "0"],
        ["history", "--last", "3", "--erase"],
        ["history", "--erase", "--missed"],
    ):
        assert await ends_with(2, *arguments, data=data)
