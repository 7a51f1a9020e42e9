"""Calls between two phones that know nothing of the mesh, through two nodes in two network namespaces."""

import pytest

from tests.interop.conftest import Pair
from tests.kit.capture import is_run_of, last_caller
from tests.kit.packets import dtls_certificates, dtls_randoms
from tests.kit.site import connect, ended, secured
from tests.kit.speech import frames_recognised, read_wav, voiced_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="session")]
THREE_SECONDS = 150


@pytest.mark.parametrize(("codec", "transport"), [("PCMU", "udp"), ("opus", "tcp")])
async def test_speech_arrives_bit_for_bit_in_both_directions(pair: Pair, codec: str, transport: str) -> None:
    async with (
        pair.alice.phone(codec=codec, transport=transport) as near,
        pair.bob.phone(codec=codec, transport=transport) as far,
    ):
        near_rtp, far_rtp = pair.alice.traffic(near), pair.bob.traffic(far)
        await connect(near, far, pair.bob.node.uri)
        await secured(pair.alice.node, pair.bob.node)
        for rtp in (near_rtp, far_rtp):
            await rtp.until_heard(THREE_SECONDS)
        await near.hang_up()
        await far.event("CALL_CLOSED")
        await ended(pair.alice.node, pair.bob.node)
    assert is_run_of(near_rtp.heard(), far_rtp.spoken())
    assert is_run_of(far_rtp.heard(), near_rtp.spoken())


async def test_what_a_phone_plays_is_what_the_other_one_was_told(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        near_rtp, far_rtp = pair.alice.traffic(near), pair.bob.traffic(far)
        await connect(near, far, pair.bob.node.uri)
        for rtp in (near_rtp, far_rtp):
            await rtp.until_heard(THREE_SECONDS)
        await far.hang_up()
        await near.event("CALL_CLOSED")
        await ended(pair.alice.node, pair.bob.node)
        for phone, site in ((near, pair.bob), (far, pair.alice)):
            _, heard = read_wav(phone.recordings()[-1])
            _, said = read_wav(site.speech[8_000])
            voiced = len(voiced_frames(heard))
            assert voiced >= 50
            assert frames_recognised(heard, said) >= 0.95 * voiced


async def test_the_phone_shows_who_calls_and_how_well_known_they_are(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        for expected in (("new person", "same key"), ("same key",)):
            await connect(near, far, pair.bob.node.uri)
            await secured(pair.alice.node, pair.bob.node)
            await near.hang_up()
            await ended(pair.alice.node, pair.bob.node)
            caller = last_caller(pair.bob.loopback, far.sip_port)
            assert caller.startswith("alice")
            assert any(words in caller for words in expected), caller


async def test_two_calls_share_no_key(pair: Pair) -> None:
    randoms, certificates, words = [], [], []
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        for _ in range(2):
            start = len(pair.mesh.packets)
            await connect(near, far, pair.bob.node.uri)
            words.append((await secured(pair.alice.node, pair.bob.node))["words"])
            await near.hang_up()
            await ended(pair.alice.node, pair.bob.node)
            randoms.append(dtls_randoms(pair.mesh.packets[start:]))
            certificates.append(dtls_certificates(pair.mesh.packets[start:]))
    assert len(randoms[0]) >= 2
    assert certificates[0]
    assert randoms[0].isdisjoint(randoms[1])
    assert certificates[0].isdisjoint(certificates[1])
    assert words[0] != words[1]


async def test_a_known_pair_is_signed_again_without_a_question(pair: Pair) -> None:
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        reports = []
        for _ in range(2):
            await connect(near, far, pair.bob.node.uri)
            reports.append(await secured(pair.alice.node, pair.bob.node))
            await far.hang_up()
            await near.event("CALL_CLOSED")
            await ended(pair.alice.node, pair.bob.node)
    assert reports[-1]["trust"] == "pinned"
    assert reports[-1]["pinned"] is True
