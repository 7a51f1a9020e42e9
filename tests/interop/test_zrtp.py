"""Two linphones that do ZRTP find each other through two nodes, and talk under keys that no node has."""

import re

import pytest

from tests.interop.conftest import Speech
from tests.kit.baresip import Line
from tests.kit.linphone import Linphone
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.speech import read_wav, voiced_frames

pytestmark = [pytest.mark.interop, pytest.mark.asyncio]


async def test_phones_that_do_zrtp_secure_themselves(voices: dict[str, Speech]) -> None:
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with (
            Node("alice", one) as alice,
            Node("bob", other, bootstrap=[alice.mesh_text]) as bob,
            Linphone(Line.of(alice), voices["alice"][8_000], encryption="zrtp") as near,
            Linphone(Line.of(bob), voices["bob"][8_000], encryption="zrtp") as far,
        ):
            await alice.event("phone_registered")
            await bob.event("phone_registered")
            await resolves(alice, bob)
            near.command(f"call {bob.uri}")
            for node in (alice, bob):
                secured = await node.event("call_secured")
                assert secured["signed"]
                said = await node.event("phones_secure_themselves")
                assert (said["call"], said["by"]) == (secured["call"], "ZRTP")
            tokens = [
                re.search("auth token is (\\w+)", (await phone.says("auth token is"))["text"])
                for phone in (near, far)
            ]
            assert tokens[0]
            assert tokens[1]
            assert tokens[0][1] == tokens[1][1], "somebody stands between the phones"
            near.command("terminate")
            for node in (alice, bob):
                await node.event("call_ended")
                assert (await node.event("call_quality"))["lost"] == 0
            await near.says("Call terminated", "ended")
            _, heard = read_wav(near.recording)
            assert voiced_frames(heard)
