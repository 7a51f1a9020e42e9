"""Between real nodes: at the end of a call both tell what it sounded like, under the call's own id."""

import pytest

from tests.kit.nodes import DataDirectory, Node

pytestmark = [pytest.mark.interop, pytest.mark.long]


async def test_both_nodes_tell_the_quality_of_a_call_when_it_is_over() -> None:
    with DataDirectory("alice") as alices, DataDirectory("bob") as bobs:
        async with (
            Node("alice", alices) as alice,
            Node("bob", bobs, bootstrap=[alice.mesh_text], arguments=["--answer-with", "echo"]) as bob,
        ):
            await bob.event("published")
            await alice.call("bob@mesh", "--seconds", "5")
            for node in (alice, bob):
                assert await node.event("call_hearing", they_hear_you="yes", you_hear_them="yes")
                quality = await node.event("call_quality")
                assert quality["final"]
                assert quality["call"] == (await node.event("call_started"))["call"]
                assert quality["received"] > 20
                assert quality["lost"] == 0
                assert quality["mos"] > 4.3
