"""Between real nodes: who lost the secret of the last call, or came by the keys without it, is warned about."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.kit.nodes import DataDirectory, Node

pytestmark = [pytest.mark.interop, pytest.mark.long]


async def called(alice: Node, bobs: Path) -> tuple[Sequence[str], list[str]]:
    """Start bob's node, let alice call him; return how the two see the continuity, and alice's warnings."""
    async with Node("bob", bobs, bootstrap=[alice.mesh_text], arguments=["--answer-with", "echo"]) as bob:
        await bob.event("published")
        answer = await alice.call("bob@mesh", "--seconds", "0.3")
        assert answer.json["signed"]
        seen = [(await node.event("call_continuity"))["state"] for node in (alice, bob)]
    warnings = [event["text"] for event in alice.journal.all if event["event"] == "warning"]
    alice.journal.all.clear()
    return seen, warnings


async def test_a_thief_of_all_keys_lacks_the_secret_of_the_last_call() -> None:
    with DataDirectory("alice") as alices, DataDirectory("bob") as bobs:
        async with Node("alice", alices) as alice:
            assert await called(alice, bobs) == (["first", "first"], [])
            assert await called(alice, bobs) == (["kept", "kept"], [])
            (bobs / "retained").unlink()  # what a thief has who copied the keys before that call
            seen, (warning,) = await called(alice, bobs)
            assert seen == ["lost", "first"]
            assert warning.startswith("bob@mesh no longer has the secret of your last call.")
            assert await called(alice, bobs) == (["kept", "kept"], [])
            (bobs / "node.key").unlink()  # a new node of the same person, with all that they know
            assert await called(alice, bobs) == (["kept", "kept"], [])
        assert (alices / "retained").stat().st_mode & 0o077 == 0
