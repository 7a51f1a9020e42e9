"""A real phone that vanishes in the middle of a call."""

from pathlib import Path

import pytest

from tests.kit.baresip import Baresip, Line
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import connect, phone_of, secured
from tests.kit.speech import make_tone

pytestmark = [pytest.mark.interop, pytest.mark.long]
INTERVAL = 180


async def test_a_call_ends_at_both_sides_when_a_phone_is_killed(tmp_path: Path) -> None:
    tone = make_tone(
        tmp_path / "tone.wav", 440, seconds=2 * INTERVAL
    )  # baresip hangs up at the end of its file
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with (
            Node("alice", one) as alice,
            Node("bob", other, bootstrap=[alice.mesh_text]) as bob,
            phone_of(alice, {8_000: tone}) as near,
            Baresip(Line.of(bob), tone) as far,
        ):
            await resolves(alice, bob)
            await connect(near, far, bob.uri)
            await secured(alice, bob)
            far.kill()
            await near.event("CALL_CLOSED", timeout=INTERVAL)
            assert (await bob.event("call_ended"))["status"] == 408
            assert (await alice.event("call_ended"))["status"] == 408
