"""`fc-lookup` and `fc-call`: what they print, how they end, and what they load."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.nodes import ROOT, DataDirectory, Node, command, fc_call, fc_lookup
from tests.kit.process import run
from tests.kit.speech import frames_recognised, make_speech, read_wav, voiced_frames

pytestmark = pytest.mark.asyncio(loop_scope="module")
HEAVY = {
    "aiohttp",
    "aioice",
    "aiortc",
    "av",
    "cryptography",
    "gnupg",
    "kademlia",
    "media",
    "pysequoia",
    "sipgate",
    "zeroconf",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[Node]:
    """Start a node on the loopback, and another so that it has somebody to ask."""
    with DataDirectory("alice") as data, DataDirectory("other") as elsewhere:
        async with Node("alice", data) as node, Node("other", elsewhere, bootstrap=[node.mesh_text]) as other:
            await other.event("joined")
            yield node


async def test_a_lookup_prints_the_evidence(node: Node) -> None:
    answer = await node.lookup(node.uri)
    assert answer.code == 0
    assert answer.json["found"] is True
    assert answer.json["uri"] == node.uri
    assert answer.json["conflict"] is False
    (claim,) = answer.json["claims"]
    assert claim["fingerprint"] == node.ready["fingerprint"]
    assert claim["node_id"] == node.ready["node_id"]
    assert claim["node_public_key"] == node.ready["node_public_key"]
    assert node.mesh_text in claim["endpoints"]
    assert claim["verified_delegation"] is True


@pytest.mark.parametrize("uri", ["alice@mesh", "sip:alice@mesh", "alice"])
async def test_a_name_may_be_written_shortly(node: Node, uri: str) -> None:
    assert (await node.lookup(uri)).code == 0


async def test_the_self_certifying_name_is_found_as_well(node: Node) -> None:
    answer = await node.lookup(node.ready["self_certifying_uri"])
    assert answer.code == 0
    assert [claim["fingerprint"] for claim in answer.json["claims"]] == [node.ready["fingerprint"]]


async def test_an_unknown_name_ends_with_1(node: Node) -> None:
    answer = await node.lookup("sip:nobody.at.all@mesh")
    assert answer.code == 1
    assert answer.json["found"] is False
    assert answer.json["claims"] == []


@pytest.mark.parametrize("arguments", [[], ["sip:@mesh"], ["--nonsense", "bob@mesh"], ["http://example"]])
async def test_a_wrong_usage_ends_with_2(data: Path, arguments: list[str]) -> None:
    outcome = await run(command("lookup", *arguments, "--data", str(data)), cwd=ROOT)
    assert outcome.code == 2
    assert outcome.stderr
    assert "Traceback" not in outcome.stderr


async def test_with_nobody_to_ask_it_ends_with_3(data: Path) -> None:
    assert (await fc_lookup("bob@mesh", data=data)).code == 3


async def test_without_a_node_it_asks_the_mesh_itself(node: Node, data: Path) -> None:
    answer = await fc_lookup(node.uri, data=data, bootstrap=[node.mesh_text])
    assert answer.code == 0
    assert answer.json["claims"][0]["fingerprint"] == node.ready["fingerprint"]
    assert answer.json["asked"] >= 1
    missing = await fc_lookup("nobody.at.all@mesh", data=data, bootstrap=[node.mesh_text])
    assert missing.code == 1


async def test_a_lookup_by_the_running_node_loads_nothing_heavy(node: Node) -> None:
    """It starts in a moment, then: what is loaded is nearly all that the process costs."""
    lookup = command("lookup", node.uri, "--json", "--data", str(node.data))
    outcome = await run(["env", "PYTHONPROFILEIMPORTTIME=1", *lookup], cwd=ROOT)
    assert outcome.code == 0
    loaded = {line.rpartition("|")[2].strip() for line in outcome.stderr.splitlines()}
    assert "freecall.control.client" in loaded
    assert not {module.partition(".")[0] for module in loaded} & HEAVY


@pytest.mark.interop
async def test_the_echo_gives_back_what_it_was_told(node: Node, tmp_path: Path) -> None:
    said_file, heard_file = make_speech(tmp_path / "said.wav", seconds=5), tmp_path / "heard.wav"
    answer = await node.call(
        "echo@mesh", "--play", str(said_file), "--record", str(heard_file), "--seconds", "4"
    )
    assert answer.code == 0, answer
    report = answer.json
    assert report["ok"] is True
    assert report["signed"] is True
    assert report["trust"] == "self"
    assert len(report["words"]) == 4
    assert report["packets_received"] >= 0.9 * report["packets_sent"] > 100
    rate, heard = read_wav(heard_file)
    _, said = read_wav(said_file)
    assert rate == 8_000
    voiced = len(voiced_frames(heard))
    assert voiced >= 50
    assert frames_recognised(heard, said) >= 0.95 * voiced
    secured = await node.event("call_secured")
    assert secured["words"] == report["words"]


async def test_a_call_to_nobody_fails_with_the_status(node: Node) -> None:
    answer = await node.call("nobody.at.all@mesh", "--seconds", "1")
    assert answer.code != 0
    assert answer.json["ok"] is False
    assert answer.json["status"] == 404
    assert answer.json["reason"]


async def test_a_call_needs_a_running_node(data: Path) -> None:
    answer = await fc_call("echo@mesh", data=data)
    assert answer.code != 0
