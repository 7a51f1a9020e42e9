"""A node dies without a word in the middle of a call."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import connect, ended, phone_of, secured

pytestmark = pytest.mark.interop
CONSENT_TIMEOUT = 30  # RFC 7675 5.1


@pytest.mark.timeout(90)
async def test_a_killed_node_ends_the_call_and_comes_back_as_itself(
    voices: Mapping[str, Mapping[int, Path]],
) -> None:
    speech = voices["alice"]
    with DataDirectory("alice") as alice_data, DataDirectory("bob") as bob_data:
        async with Node("alice", alice_data) as alice:
            bob = Node("bob", bob_data, bootstrap=[alice.mesh_text])
            async with phone_of(alice, speech) as near:
                async with bob, phone_of(bob, speech) as far:
                    before = bob.ready
                    await resolves(alice, bob)
                    await connect(near, far, bob.uri)
                    await secured(alice, bob)
                    clock = asyncio.get_running_loop().time
                    start = clock()
                    await bob.kill()
                    far.kill()  # it would wait long for a node to leave
                    await near.event("CALL_CLOSED", timeout=CONSENT_TIMEOUT)
                    await ended(alice)
                    print(f"BYE {clock() - start:.1f} s after the power cut")
                async with Node("bob", bob_data) as again:  # no bootstrap: it remembers
                    for key in ("fingerprint", "node_id", "uri", "self_certifying_uri"):
                        assert again.ready[key] == before[key]
                    assert (await again.event("joined", timeout=5))["contacts"] >= 1
                    answer = await again.lookup(alice.uri)
                    assert [claim["trust"] for claim in answer.json["claims"]] == ["pinned"]
                    await resolves(alice, again)
                    async with phone_of(again, speech) as far:
                        await connect(near, far, again.uri)
                        assert (await secured(alice, again))["trust"] == "pinned"
                        await far.hang_up()
                        await ended(alice, again)
