"""Phones on the LAN: paired, over TLS with SRTP, heard and called, and out as soon as they are revoked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.interop.conftest import MESH_PORT, Speech
from tests.kit.baresip import Baresip, Line
from tests.kit.capture import Capture, PhoneTraffic
from tests.kit.journal import NotSeenError
from tests.kit.netns import Lan
from tests.kit.nodes import ROOT, DataDirectory, Node, command, resolves
from tests.kit.packets import Packet, is_plain, is_tls, known_prefixes, streams
from tests.kit.process import Outcome, run
from tests.kit.site import answer, connect, ended, phone_of, ring, secured
from tests.kit.speech import read_wav, voiced_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio]
ONE_SECOND = 50


async def devices(data: Path, *arguments: str) -> Outcome:
    """Run `fc-devices`."""
    return await run(command("devices", "--data", str(data), *arguments), cwd=ROOT)


async def pair(node: Node, data: Path, *arguments: str) -> Mapping[str, Any]:
    """Pair a device; return its account."""
    paired = json.loads((await devices(data, "add", *arguments, "--json")).stdout)
    await node.event("device_paired", device=arguments[0])
    account: Mapping[str, Any] = paired["account"]
    return account


def phone(lan: Lan, account: Mapping[str, Any], speech: Speech, **options: Any) -> Baresip:
    """Return a phone on a host of its own, set up as the account says."""
    host, _, port = account["address"].rpartition(":")
    line = Line(host, int(port), account["username"], account["secret"], login=account["login"])
    encrypts = account["transport"] == "tls"
    return Baresip(
        line,
        speech[8_000],
        namespace=lan.namespace("phone"),
        address=lan.address("phone"),
        **{"transport": account["transport"], "encryption": "srtp-mand" if encrypts else "", **options},
    )


def node_at(lan: Lan, host: str, name: str, data: Path, **options: Any) -> Node:
    """Return a node at a host of the LAN."""
    return Node(
        name,
        data,
        namespace=lan.namespace(host),
        listen=f"{lan.address(host)}:{MESH_PORT}",
        **{"sip": "127.0.0.1:5060", **options},
    )


async def test_a_paired_phone_calls_over_tls_until_it_is_revoked(voices: dict[str, Speech]) -> None:
    with Lan("node", "phone") as lan, DataDirectory("alice") as data:
        async with node_at(lan, "node", "alice", data) as node:
            assert (await devices(data)).stdout == "No phone is paired. fc-devices add kitchen pairs one.\n"
            account = await pair(node, data, "kitchen")
            assert account["address"].rpartition(":")[0] == lan.address("node")
            async with phone(lan, account, voices["alice"]) as kitchen:
                registered = await node.event("phone_registered")
                assert registered["device"] == "kitchen"
                assert "TLS, SRTP, seen 20" in (await devices(data)).stdout
                await kitchen.dial("sip:echo@mesh")
                await kitchen.event("CALL_ESTABLISHED")
                await node.event("call_secured")
                assert (await devices(data, "revoke", "kitchen")).stdout == "kitchen is let in no more.\n"
                await node.event("call_ended")
                await node.event("phone_unregistered")
                kitchen.journal.forget()
                with pytest.raises(NotSeenError):
                    await kitchen.event("REGISTER_OK", timeout=1)


async def test_nothing_between_a_paired_phone_and_its_node_is_in_the_clear(voices: dict[str, Speech]) -> None:
    with Lan("a", "b", "phone") as lan, DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with (
            Capture("eth0", lan.namespace("phone")) as wire,
            Capture("lo", lan.namespace("b")) as loopback,
            node_at(lan, "a", "alice", one) as alice,
            node_at(lan, "b", "bob", other, bootstrap=[f"{lan.address('a')}:{MESH_PORT}"]) as bob,
            phone_of(bob, voices["bob"]) as far,
        ):
            await resolves(alice, bob)
            await resolves(bob, alice)
            async with phone(lan, await pair(alice, one, "kitchen"), voices["alice"]) as near:
                await alice.event("phone_registered")
                traffic = PhoneTraffic(loopback, far.rtp_ports)
                await connect(near, far, bob.uri)
                await secured(alice, bob)
                await traffic.until_heard(ONE_SECOND)
                await far.hold()
                await far.resume()
                traffic.forget()
                await traffic.until_heard(ONE_SECOND)
                for key in "15#":
                    await near.press(key)
                    assert (await far.event("CALL_DTMF_START"))["param"] == key
                    await far.event("CALL_DTMF_END")
                await near.hang_up()
                await ended(alice, bob)
                await connect(far, near, alice.uri)
                await secured(bob, alice)
                await traffic.until_heard(3 * ONE_SECOND)
                await far.hang_up()
                await ended(alice, bob)
                heard = max(near.recordings(), key=lambda path: path.stat().st_size)
                assert voiced_frames(read_wav(heard)[1])
        known = known_prefixes([*traffic.spoken(), *traffic.heard()])
        assert len(known) > ONE_SECOND
        sound = [packet for packet in wire.packets if _is_media(packet, near)]
        assert len(sound) > 4 * ONE_SECOND
        assert not [packet for packet in sound if is_plain(packet.payload, known)]
        for flow, data in streams(wire.packets).items():
            assert is_tls(data), flow
        others = [packet for packet in wire.packets if packet.protocol == "udp" and packet not in sound]
        assert not [packet for packet in others if b"SIP/2.0" in packet.payload]


def _is_media(packet: Packet, phone: Baresip) -> bool:
    return packet.protocol == "udp" and bool({packet.source[1], packet.destination[1]} & set(phone.rtp_ports))


async def test_a_paired_phone_that_does_not_encrypt_its_sound_hears_why(voices: dict[str, Speech]) -> None:
    with Lan("node", "phone") as lan, DataDirectory("alice") as data:
        async with node_at(lan, "node", "alice", data) as node:
            account = await pair(node, data, "kitchen")
            async with phone(lan, account, voices["alice"], encryption="") as kitchen:
                await node.event("phone_registered")
                await kitchen.dial("sip:echo@mesh")
                closed = await kitchen.event("CALL_CLOSED")
                assert closed["param"].startswith("488 This phone is paired for encrypted calls"), closed


async def test_of_a_phone_on_the_computer_and_one_on_the_lan_either_may_answer(
    voices: dict[str, Speech],
) -> None:
    with Lan("a", "b", "phone") as lan, DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with (
            Capture("lo", lan.namespace("b")) as loopback,
            Capture("lo", lan.namespace("a")) as beside,
            node_at(lan, "a", "alice", one) as alice,
            node_at(lan, "b", "bob", other, bootstrap=[f"{lan.address('a')}:{MESH_PORT}"]) as bob,
            phone_of(bob, voices["bob"]) as far,
            phone_of(alice, voices["alice"]) as desk,
        ):
            await resolves(bob, alice)
            async with phone(lan, await pair(alice, one, "kitchen"), voices["alice"]) as kitchen:
                await alice.event("phone_registered")
                traffic = PhoneTraffic(loopback, far.rtp_ports)
                at_desk = PhoneTraffic(beside, desk.rtp_ports)
                for answering, other_phone in ((kitchen, desk), (desk, kitchen)):
                    await ring(far, answering, alice.uri)
                    await other_phone.event("CALL_INCOMING")
                    await answer(far, answering)
                    await other_phone.event("CALL_CLOSED")
                    traffic.forget()
                    await traffic.until_heard(ONE_SECOND)
                    if answering is desk:
                        await at_desk.until_heard(ONE_SECOND)
                    await far.hang_up()
                    await answering.event("CALL_CLOSED")
                    await ended(alice, bob)
                assert [voiced_frames(read_wav(heard)[1]) for heard in kitchen.recordings()]


async def test_a_phone_that_may_be_plain_says_so_everywhere(voices: dict[str, Speech]) -> None:
    with Lan("node", "phone") as lan, DataDirectory("alice") as data:
        async with node_at(lan, "node", "alice", data, sip=f"{lan.address('node')}:5060") as node:
            account = await pair(node, data, "old", "--plain")
            assert account["transport"] == "udp"
            async with phone(lan, account, voices["alice"]) as old:
                assert (await node.event("phone_registered"))["device"] == "old"
                assert "NOT ENCRYPTED" in (await devices(data)).stdout
                await old.dial("sip:echo@mesh")
                await old.event("CALL_ESTABLISHED")
                await old.hang_up()
                await node.event("call_ended")
