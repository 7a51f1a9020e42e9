"""The users for trying phones that every node has, called by a real phone and by fc-call."""

import datetime
from pathlib import Path

import numpy as np
import pytest

from tests.interop.conftest import Speech
from tests.kit.nodes import Node
from tests.kit.site import phone_of
from tests.kit.speech import Samples, read_wav

pytestmark = [pytest.mark.interop, pytest.mark.asyncio]
RATE = 8000
BLOCK = 400  # samples, 50 ms
LOUD = 1000
PAUSE = 8  # blocks


def first_group(heard: Samples) -> list[float]:
    """Return the frequency (Hz) of each stroke up to the first pause."""
    found: list[float] = []
    quiet = 0
    for at in range(0, len(heard) - BLOCK, BLOCK):
        block = heard[at : at + BLOCK].astype(float)
        if float(np.sqrt(np.mean(block**2))) < LOUD:
            quiet += 1
            if found and quiet > PAUSE:
                break
            continue
        if quiet or not found:
            found.append(float(np.argmax(np.abs(np.fft.rfft(block)))) * RATE / BLOCK)
        quiet = 0
    return found


async def test_the_services_do_as_they_say(
    data: Path, tmp_path: Path, voices: dict[str, Speech], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.datetime.now(datetime.UTC)
    monkeypatch.setenv("TZ", f"HERE{now.hour - 2:+d}")  # two o'clock, for a short message
    (data / "config.toml").write_text("[calls]\nring_seconds = 1\n")
    async with Node("alice", data) as alice, phone_of(alice, voices["alice"]) as near:
        for name, status in (("busy", "486"), ("decline", "603")):
            await near.dial(f"sip:{name}@mesh")
            assert (await near.event("CALL_CLOSED"))["param"].startswith(status)
            assert not near.journal.has("CALL_RINGING")
        await near.dial("sip:noanswer@mesh")
        await near.event("CALL_RINGING")
        await near.hang_up()
        await near.event("CALL_CLOSED", timeout=3)
        await near.dial("sip:noanswer@mesh")
        await near.event("CALL_RINGING")
        assert (await near.event("CALL_CLOSED", timeout=5))["param"].startswith("480")
        file = tmp_path / "time.wav"
        answer = await alice.call("time@mesh", "--record", str(file), "--seconds", "2.5")
        assert answer.code == 0, answer
    told = first_group(read_wav(file)[1])
    assert all(abs(each - 440) < 50 for each in told)
    assert len(told) == 2 or (len(told) == 3 and now.minute == 59)
