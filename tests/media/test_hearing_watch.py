"""Two nodes tell each other whether what the phones say gets there."""

import pytest

from media.events import CallHearing
from media.protocol import hearing

from .call_pair import Side, answered_call, rtp, until


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "QUIET_SECONDS", 0.05)
    monkeypatch.setattr(hearing, "STEADY_SECONDS", 0.05)


def told(side: Side) -> list[tuple[str, str]]:
    return [(event.outgoing, event.incoming) for event in side.events if isinstance(event, CallHearing)]


async def test_each_side_learns_that_it_is_heard_and_when_it_is_silent() -> None:
    async with answered_call() as pair:
        for number in range(1, 20):
            pair.caller.phone.send(rtp(number))
        await until(lambda: ("heard", "silent") in told(pair.caller))
        await until(lambda: ("silent", "heard") in told(pair.callee))
        await until(lambda: told(pair.caller)[-1] == told(pair.callee)[-1] == ("silent", "silent"))
        pair.callee.phone.send(rtp(1, ssrc=9))
        await until(lambda: told(pair.caller)[-1] == ("silent", "heard"))


async def test_sound_that_does_not_get_there_is_told_to_who_speaks() -> None:
    async with answered_call() as pair:
        for section in pair.callee.media._sections.values():  # as a far node that is broken
            assert section.bridge is not None
            section.mesh.ice.open_srtp(lambda _: None)
        for number in range(1, 20):
            pair.caller.phone.send(rtp(number))
        await until(lambda: ("lost", "silent") in told(pair.caller))
        await until(lambda: ("silent", "lost") in told(pair.callee))
