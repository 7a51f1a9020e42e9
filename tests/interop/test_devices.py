"""A phone on the LAN: paired, over TLS, heard and called, and out as soon as it is revoked."""

import json
from pathlib import Path

import pytest

from tests.interop.conftest import Speech
from tests.kit.baresip import Baresip, Line
from tests.kit.journal import NotSeenError
from tests.kit.netns import Lan
from tests.kit.nodes import ROOT, DataDirectory, Node, command
from tests.kit.process import Outcome, run

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio]


async def devices(data: Path, *arguments: str) -> Outcome:
    """Run `fc-devices`."""
    return await run(command("devices", "--data", str(data), *arguments), cwd=ROOT)


async def test_a_paired_phone_calls_over_tls_until_it_is_revoked(voices: dict[str, Speech]) -> None:
    with Lan("node", "phone") as lan, DataDirectory("alice") as data:
        node = Node(
            "alice", data, namespace=lan.namespace("node"), listen=f"{lan.address('node')}:7350", sip=""
        )
        async with node:
            assert (await devices(data)).stdout == "No phone is paired. fc-devices add kitchen pairs one.\n"
            paired = json.loads((await devices(data, "add", "kitchen", "--json")).stdout)
            await node.event("device_paired")
            account = paired["account"]
            host, _, port = account["address"].rpartition(":")
            assert host == lan.address("node")
            line = Line(host, int(port), account["username"], account["secret"], login=account["login"])
            phone = Baresip(
                line,
                voices["alice"][8_000],
                namespace=lan.namespace("phone"),
                address=lan.address("phone"),
                transport="tls",
            )
            async with phone:
                registered = await node.event("phone_registered")
                assert registered["device"] == "kitchen"
                assert "TLS, SRTP, seen 20" in (await devices(data)).stdout
                await phone.dial("sip:echo@mesh")
                await phone.event("CALL_ESTABLISHED")
                await node.event("call_secured")
                assert (await devices(data, "revoke", "kitchen")).stdout == "kitchen is let in no more.\n"
                await node.event("call_ended")
                await node.event("phone_unregistered")
                with pytest.raises(NotSeenError):
                    await phone.event("REGISTER_OK", timeout=1)
