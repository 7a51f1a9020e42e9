"""Somebody else takes a name that is already known: never silent, and the right one is still reached."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import connect, ended, phone_of, secured

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
Speech = Mapping[int, Path]


@dataclass(frozen=True)
class Scene:
    """Alice knows Bob; Bob's node is off; Mallory's node claims Bob's name."""

    alice: Node
    bob_data: Path
    bob_fingerprint: str
    mallory: Node
    speech: Speech

    def bob(self) -> Node:
        """Bob's node, as it comes back."""
        return Node("bob", self.bob_data, bootstrap=[self.alice.mesh_text])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(voices: Mapping[str, Speech]) -> AsyncIterator[Scene]:
    """Let Alice call Bob once, then put an impostor in his place."""
    async with AsyncExitStack() as stack:
        speech = voices["alice"]
        alice = await stack.enter_async_context(Node("alice", stack.enter_context(DataDirectory("alice"))))
        bob_data = stack.enter_context(DataDirectory("bob"))
        bob = Node("bob", bob_data, bootstrap=[alice.mesh_text])
        async with bob, phone_of(alice, speech) as near, phone_of(bob, speech) as far:
            await resolves(alice, bob)
            await connect(near, far, bob.uri)
            await secured(alice, bob)
            await near.hang_up()
            await ended(alice, bob)
        mallory = Node("bob", stack.enter_context(DataDirectory("mallory")), bootstrap=[alice.mesh_text])
        await stack.enter_async_context(mallory)
        await resolves(alice, mallory)
        assert mallory.ready["fingerprint"] != bob.ready["fingerprint"]
        yield Scene(alice, bob_data, bob.ready["fingerprint"], mallory, speech)


async def test_the_phone_is_told_of_the_conflict(scene: Scene) -> None:
    async with phone_of(scene.mallory, scene.speech) as trap, phone_of(scene.alice, scene.speech) as near:
        await near.dial("sip:bob@mesh")
        closed = await near.event("CALL_CLOSED", timeout=5)
        assert closed["param"].startswith("403")
        refused = await scene.alice.event("call_refused", status=403)
        assert refused["reason"]
        assert not trap.journal.has("CALL_INCOMING")


async def test_a_lookup_tells_of_the_conflict(scene: Scene) -> None:
    answer = await scene.alice.lookup("sip:bob@mesh")
    assert answer.code == 4
    assert answer.json["conflict"] is True
    assert scene.bob_fingerprint not in {claim["fingerprint"] for claim in answer.json["claims"]}


async def test_a_call_from_the_impostor_is_refused(scene: Scene) -> None:
    async with phone_of(scene.alice, scene.speech) as trap:
        answer = await scene.mallory.call(scene.alice.uri, "--seconds", "1")
        assert answer.code != 0
        assert answer.json["status"] == 403
        assert not trap.journal.has("CALL_INCOMING")


async def test_beside_an_impostor_the_known_one_is_called(scene: Scene) -> None:
    async with scene.bob() as bob:
        await resolves(scene.alice, bob)
        async with (
            phone_of(scene.alice, scene.speech) as near,
            phone_of(bob, scene.speech) as far,
            phone_of(scene.mallory, scene.speech) as trap,
        ):
            await connect(near, far, bob.uri)
            report = await secured(scene.alice, bob)
            assert report["fingerprint"] == scene.bob_fingerprint
            assert report["trust"] == "pinned"
            await near.hang_up()
            await ended(scene.alice, bob)
            assert not trap.journal.has("CALL_INCOMING")
        answer = await scene.alice.lookup(bob.uri)
        assert {claim["trust"] for claim in answer.json["claims"]} == {"pinned", "conflict"}
