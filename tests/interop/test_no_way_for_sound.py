"""A firewall between two nodes that lets everything through but the media: nobody is told that a call stands."""

import subprocess

import pytest

from tests.interop.conftest import MESH_PORT, Speech
from tests.kit.netns import Lan, command_in
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import phone_of, ring

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.long, pytest.mark.asyncio]

SIGNALLING_ONLY = f"""table inet wall {{
    chain incoming {{
        type filter hook input priority filter
        iifname "eth0" udp dport != {MESH_PORT} drop
    }}
}}"""


def build_wall(namespace: str) -> None:
    command = command_in(namespace, ["nft", "-f", "-"])
    subprocess.run(command, input=SIGNALLING_ONLY.encode(), check=True, timeout=10)


async def test_the_caller_hears_why_and_was_never_connected(voices: dict[str, Speech]) -> None:
    with Lan("a", "b") as lan, DataDirectory("alice") as one, DataDirectory("bob") as other:
        for host in ("a", "b"):
            build_wall(lan.namespace(host))
        near_at, far_at = (f"{lan.address(host)}:{MESH_PORT}" for host in ("a", "b"))
        async with (
            Node("alice", one, namespace=lan.namespace("a"), listen=near_at) as alice,
            Node("bob", other, namespace=lan.namespace("b"), listen=far_at, bootstrap=[near_at]) as bob,
            phone_of(alice, voices["alice"]) as near,
            phone_of(bob, voices["bob"]) as far,
        ):
            await resolves(alice, bob)
            await ring(near, far, bob.uri)
            await far.accept()
            refused = await alice.event("call_refused", timeout=30)
            sentence = "No way for the sound was found between the two nodes"
            assert (refused["status"], refused["reason"]) == (480, sentence)
            assert "480" in (await near.event("CALL_CLOSED"))["param"]
            assert not near.journal.has("CALL_ESTABLISHED")
            await far.event("CALL_CLOSED")
            await bob.event("call_ended")
            assert not alice.journal.has("call_answered")
