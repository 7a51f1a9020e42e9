"""Phones on another host than their node that key SRTP by DTLS: TLS, DTLS and SRTP on the wire, and nothing else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop.conftest import Speech
from tests.interop.test_encrypted_phones import ONE_SECOND, RATE, Home, home_of, recognised
from tests.kit.capture import Capture, PhoneTraffic
from tests.kit.packets import Packet
from tests.kit.site import answer, ended, phone_of, ring
from tests.kit.speech import frames_recognised, main_frequency, make_tone, read_wav, voiced_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="module")]

CLIENT_HELLO, SERVER_HELLO = 1, 2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(voices: dict[str, Speech]) -> AsyncIterator[Home]:
    async with home_of(voices) as made:
        yield made


def handshakes(packets: list[Packet]) -> dict[int, list[str]]:
    """Return by kind of DTLS message who has begun a flight with it, in the clear as a handshake begins."""
    begun: dict[int, list[str]] = {CLIENT_HELLO: [], SERVER_HELLO: []}
    for packet in packets:
        if packet.protocol == "udp" and packet.payload[:1] == b"\x16" and packet.payload[13:14]:
            begun.setdefault(packet.payload[13], []).append(packet.source[0])
    return begun


def assert_dtls_and_srtp_alone(home: Home, start: int, said: list[bytes]) -> None:
    """Look at the wire: the phone has begun, its node is the server, and what follows is none of what was said."""
    home.assert_nothing_in_the_clear(start, said)
    packets = home.wire.packets[start:]
    begun = handshakes(packets)
    assert set(begun[CLIENT_HELLO]) == {home.lan.address("phone")}
    assert set(begun[SERVER_HELLO]) == {home.lan.address("a")}
    phone = home.lan.address("phone")
    media = [
        packet.payload
        for packet in packets
        if packet.protocol == "udp" and phone in (packet.source[0], packet.destination[0])
    ]
    assert {_kind(payload) for payload in media} - {"stun"} == {"dtls", "srtp"}


def _kind(payload: bytes) -> str:
    """Tell by the first byte (RFC 7983)."""
    first = payload[0]
    return "dtls" if 19 < first < 64 else "srtp" if 127 < first < 192 else "stun" if first < 4 else "other"


@pytest.mark.parametrize("muxes", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("by_paired", [True, False])
async def test_calls_over_the_mesh_go_both_ways(home: Home, *, by_paired: bool, muxes: bool) -> None:
    async with home.phone(by_dtls=True, muxes=muxes) as paired, home.bob.phone() as far:
        start = len(home.wire.packets)
        said = await home.converse(paired, far, by_paired=by_paired)
        assert_dtls_and_srtp_alone(home, start, said)
        begun = handshakes(home.wire.packets[start:])
        assert len(set(begun[CLIENT_HELLO])) == 1
        assert "AEAD_AES_256_GCM" in paired.log()


@pytest.mark.parametrize("by_paired", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_the_node_relays_between_it_and_a_plain_phone_beside_the_node(
    home: Home, *, by_paired: bool
) -> None:
    async with home.phone(by_dtls=True) as paired, home.alice.phone() as beside:
        start = len(home.wire.packets)
        clear, wire = home.alice.traffic(beside), PhoneTraffic(home.wire, paired.rtp_ports)
        caller, callee = (paired, beside) if by_paired else (beside, paired)
        await ring(caller, callee, home.alice.node.uri)
        await answer(caller, callee)
        await clear.until_heard(2 * ONE_SECOND)
        await wire.until_heard(2 * ONE_SECOND)
        await caller.hang_up()
        await callee.event("CALL_CLOSED")
        await ended(home.alice.node)
        assert recognised(beside, home.alice.speech[RATE]) > ONE_SECOND
        assert_dtls_and_srtp_alone(home, start, clear.heard() + clear.spoken())


@pytest.mark.parametrize("hall_by_dtls", [True, False])
async def test_two_paired_phones_talk_directly_if_they_encrypt_in_one_way(
    home: Home, *, hall_by_dtls: bool
) -> None:
    async with (
        Capture("lo", home.lan.namespace("phone")) as between,
        home.phone(by_dtls=True) as kitchen,
        home.phone("hall", "bob", by_dtls=hall_by_dtls) as hall,
    ):
        wire, direct = (PhoneTraffic(each, kitchen.rtp_ports) for each in (home.wire, between))
        await ring(kitchen, hall, home.alice.node.uri)
        await answer(kitchen, hall)
        used, unused = (direct, wire) if hall_by_dtls else (wire, direct)
        await used.until_heard(2 * ONE_SECOND)
        await hall.hang_up()
        await kitchen.event("CALL_CLOSED")
        await ended(home.alice.node)
        assert recognised(kitchen, home.bob.speech[RATE]) > ONE_SECOND // 2
        assert unused.heard() == []


@pytest.mark.parametrize("by_paired", [True, False])
async def test_another_kind_of_phone_does_it_too(home: Home, tmp_path: Path, *, by_paired: bool) -> None:
    tone = make_tone(tmp_path / "620.wav", 620)
    async with home.bob.phone() as far:
        clear, start = home.bob.traffic(far), len(home.wire.packets)
        async with home.linphone(tone, by_dtls=True) as phone:
            if by_paired:
                phone.command(f"call {home.bob.node.uri}")
                await far.event("CALL_INCOMING")
                await far.accept()
            else:
                await far.dial(home.alice.node.uri)
            await far.event("CALL_ESTABLISHED")
            await clear.until_heard(4 * ONE_SECOND)
            await far.hold()
            await clear.until_quiet()
            await far.resume()
            clear.forget()
            await clear.until_heard(ONE_SECOND)
            await far.hang_up()
            await phone.says("Call terminated", "ended")
            await ended(home.alice.node, home.bob.node)
            rate, heard = read_wav(phone.recording)
        _, tone_heard = read_wav(far.recordings()[-1])
        assert abs(main_frequency(tone_heard[RATE : 3 * RATE], RATE) - 620) < 5
        assert len(voiced_frames(heard)) * 160 / rate > 1
        assert_dtls_and_srtp_alone(home, start, clear.heard() + clear.spoken())


@pytest.mark.parametrize("by_neighbour", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_a_phone_that_is_sent_on_keeps_its_association(home: Home, *, by_neighbour: bool) -> None:
    site = home.alice if by_neighbour else home.bob
    async with home.phone(by_dtls=True) as paired, phone_of(site.node, home.bob.speech) as other:
        start = len(home.wire.packets)
        clear, wire = site.traffic(other), PhoneTraffic(home.wire, paired.rtp_ports)
        await ring(paired, other, site.node.uri)
        await answer(paired, other)
        await clear.until_heard(ONE_SECOND)
        await other.transfer("sip:echo@mesh")
        moved = await home.alice.node.event("call_transferred")
        assert moved["part"] == "transferee"
        await home.alice.node.event("call_secured", call=moved["into"])
        wire.forget()
        await wire.until_heard(4 * ONE_SECOND)
        await paired.hang_up()
        await home.alice.node.event("call_ended", call=moved["into"])
        heard = read_wav(paired.recordings()[-1])[1][-3 * RATE :]
        own = frames_recognised(heard, read_wav(home.alice.speech[RATE])[1])
        assert own > ONE_SECOND // 2, "its own voice, from the echo"
        assert_dtls_and_srtp_alone(home, start, clear.heard() + clear.spoken())
