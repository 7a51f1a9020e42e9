"""Another kind of phone: linphonec calls a baresip."""

import pytest

from tests.interop.conftest import Pair
from tests.kit.baresip import Line
from tests.kit.linphone import Linphone
from tests.kit.site import ended, secured
from tests.kit.speech import main_frequency, make_tone, read_wav, voiced_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="session")]


async def test_linphone_and_baresip_hear_each_other(
    pair: Pair, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tone = make_tone(tmp_path_factory.mktemp("tone") / "620.wav", 620)
    line = Line.of(pair.alice.node)
    async with pair.bob.phone() as far:
        heard_by_bob = pair.bob.traffic(far)
        async with Linphone(line, tone, pair.alice.node.namespace) as near:
            await pair.alice.node.event("phone_registered")
            near.command(f"call {pair.bob.node.uri}")
            await far.event("CALL_INCOMING")
            await far.accept()
            await secured(pair.alice.node, pair.bob.node)
            await heard_by_bob.until_heard(200)
            await far.hang_up()
            await ended(pair.alice.node, pair.bob.node)
            await near.says("Call terminated", "ended")
            rate, heard = read_wav(near.recording)
        _, tone_heard = read_wav(far.recordings()[-1])
        assert abs(main_frequency(tone_heard[-8_000:], 8_000) - 620) < 5
        assert len(voiced_frames(heard)) * 160 / rate > 1
