"""Two nodes and real phones: a call without a name is verified as any other, and leaves no trace of the caller."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import Speech
from tests.interop.test_who_may_call import asked, refused, strangers
from tests.kit.baresip import Line
from tests.kit.capture import Capture
from tests.kit.linphone import Linphone
from tests.kit.nodes import ROOT, DataDirectory, Node, command, resolves
from tests.kit.packets import Packet
from tests.kit.process import run
from tests.kit.site import answer, connect, ended, phone_of, secured

pytestmark = [pytest.mark.interop, pytest.mark.asyncio]


def names_of(node: Node) -> dict[str, bytes]:
    """Return what would tell who a node's user is, in each form that it could have somewhere."""
    key = bytes.fromhex(node.ready["node_public_key"])
    fingerprint = bytes.fromhex(node.ready["fingerprint"])
    node_id = bytes.fromhex(node.ready["node_id"])
    told = {"name": node.name.encode(), "mesh port": str(node.mesh[1]).encode()}
    for what, raw in (("node key", key), ("fingerprint", fingerprint), ("node id", node_id)):
        told |= {
            what: raw,
            f"{what} in hex": raw.hex().encode(),
            f"{what} in base32": base64.b32encode(raw).rstrip(b"=").lower(),
            f"{what} in base64": base64.b64encode(raw).rstrip(b"=").lower(),
        }
    return told


def found_in(place: bytes, told: dict[str, bytes]) -> set[str]:
    return {what for what, text in told.items() if text in place or text in place.lower()}


def files_of(data: Path) -> dict[str, bytes]:
    """Return the files of a node's data directory."""
    return {str(path.relative_to(data)): path.read_bytes() for path in data.rglob("*") if path.is_file()}


async def reports(wire: Capture, ports: range, name: bytes) -> list[Packet]:
    """Wait until a name has gone from a phone or to it in RTCP; return what has gone so far."""

    def seen() -> list[Packet]:
        udp = (each for each in wire.packets if each.protocol == "udp")
        return [each for each in udp if each.source[1] in ports or each.destination[1] in ports]

    def is_named() -> bool:
        return any(name in each.payload for each in seen())

    await wire.until(is_named, f"RTCP with {name!r}", timeout=20)
    return seen()


async def test_a_call_without_a_name_is_verified_and_leaves_nothing_of_the_caller(
    voices: dict[str, Speech],
) -> None:
    with DataDirectory("caller") as one, DataDirectory("bob") as other:
        async with (
            Capture("lo") as wire,
            Node("quietcaller", one) as alice,
            Node("bob", other, bootstrap=[alice.mesh_text]) as bob,
            phone_of(alice, voices["alice"]) as near,
            phone_of(bob, voices["bob"]) as far,
        ):
            await resolves(alice, bob)
            bob.journal.forget()
            await near.dial("sip:*67bob@mesh")
            incoming = await far.event("CALL_INCOMING")
            assert incoming["peeruri"] == "sip:anonymous@anonymous.invalid"
            assert incoming["peerdisplayname"] == "Anonymous"
            await answer(near, far)
            mine = await alice.event("call_secured")
            theirs = await bob.event("call_secured")
            assert mine["signed"] is theirs["signed"] is True
            assert mine["words"] == theirs["words"]
            assert mine["fingerprint"] == bob.ready["fingerprint"]
            assert (theirs["trust"], theirs["pinned"]) == ("anonymous", False)
            assert mine["pinned"] is False, "nobody is pinned who was called without a name"
            said = [each.payload for each in await reports(wire, near.rtp_ports, b"quietcaller")]
            heard = [each.payload for each in await reports(wire, far.rtp_ports, b"anonymous")]
            assert any(b"quietcaller" in each for each in said), "phones write their names into RTCP"
            assert not any(b"quietcaller" in each for each in heard)
            listed = await asked(bob, "GET", "/v1/calls")
            await near.hang_up()
            await ended(alice, bob)
            history: Any = await asked(bob, "GET", "/v1/history")
            (call,) = history["history"]
            assert (call["peer"], call["trust"]) == ("sip:anonymous@anonymous.invalid", "anonymous")
            assert (call["anonymous"], call["signed"]) == (True, True)
            mine_too: Any = await asked(alice, "GET", "/v1/history")
            (own,) = mine_too["history"]
            assert (own["peer"], own["anonymous"]) == (bob.uri, True)
            told = names_of(alice)
            seen = json.dumps([listed, history, *bob.journal.all]).encode()
            assert found_in(seen, told) == set()
            for name, content in files_of(other).items():
                assert found_in(content, told) == set(), name
            assert found_in(json.dumps(alice.journal.all).encode(), told) > {"name", "node key in hex"}, (
                "it can"
            )
            assert "pins.json" not in files_of(other)
            assert "pins.json" not in files_of(one)
            assert "retained" not in {*files_of(one), *files_of(other)}
            called_back = await bob.call("sip:anonymous@mesh")
            assert called_back.json["status"] == 404
            await far.dial("sip:*60@mesh")
            assert (await bob.event("dial_code"))["done"] is False
            assert 'anonymous = "refuse"' in (await bob.event("warning"))["text"]
            await far.event("CALL_ESTABLISHED")
            await far.hang_up()
            await far.event("CALL_CLOSED")


async def test_who_takes_no_anonymous_calls_says_so_and_who_always_hides_can_show_the_name_once(
    voices: dict[str, Speech],
) -> None:
    async with (
        strangers('anonymous = "refuse"') as (alice, bob),
        phone_of(alice, voices["alice"]) as near,
        phone_of(bob, voices["bob"]) as far,
    ):
        hidden = await alice.call(bob.uri, "--anonymous")
        told = (433, "bob takes no anonymous calls. Call with your name.")
        assert (hidden.json["status"], hidden.json["reason"]) == told
        set_to = await run(
            command("calls", "--data", str(alice.data), "settings", "--anonymous", "on"), cwd=ROOT
        )
        assert "anonymous: on\n" in set_to.stdout
        assert await refused(near, alice, bob) == told
        assert not far.journal.has("CALL_INCOMING")
        await connect(near, far, "sip:*82bob@mesh")
        assert (await secured(alice, bob))["pinned"]
        await near.hang_up()
        await ended(alice, bob)
        assert await refused(near, alice, bob) == told, "also now that she is a contact"
        shown = await run(command("calls", "--data", str(alice.data), "history", "--last", "1"), cwd=ROOT)
        assert shown.stdout.rstrip().endswith("anonymous calls. Call with your name. (433)")


async def test_a_phone_that_asks_for_privacy_itself_calls_without_a_name(voices: dict[str, Speech]) -> None:
    async with (
        strangers("") as (alice, bob),
        phone_of(bob, voices["bob"]) as far,
        Linphone(Line.of(alice), voices["alice"][8_000], privacy=8 + 16) as near,
    ):
        await alice.event("phone_registered")
        near.command(f"call {bob.uri}")
        incoming = await far.event("CALL_INCOMING")
        assert incoming["peeruri"] == "sip:anonymous@anonymous.invalid"
        await far.accept()
        mine, theirs = await alice.event("call_secured"), await bob.event("call_secured")
        assert mine["words"] == theirs["words"]
        assert theirs["trust"] == "anonymous"
        assert found_in(json.dumps(bob.journal.all).encode(), names_of(alice)) == set()
        await far.hang_up()
        await ended(alice, bob)
