"""A phone on another host than its node: TLS and SRTP on the wire and nothing else, in all that phones do in a call."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from tests.interop.conftest import Speech, two_sites
from tests.interop.test_devices import devices
from tests.kit.baresip import Baresip, Line
from tests.kit.capture import Capture, PhoneTraffic
from tests.kit.journal import NotSeenError
from tests.kit.linphone import Linphone
from tests.kit.netns import Lan
from tests.kit.nodes import DataDirectory, Node
from tests.kit.packets import rtp_payload
from tests.kit.site import Site, answer, ended, phone_of, ring, secured
from tests.kit.speech import frames_recognised, main_frequency, make_tone, read_wav, voiced_frames

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="module")]

ONE_SECOND = 50
PCMU_BYTES = 160
RATE = 8_000
TAG_BYTES = (10, 4, 16)


async def talk(one: Baresip, other: Baresip, near: PhoneTraffic, far: PhoneTraffic) -> None:
    """Let both be heard, press a key each, hold and resume each; `near` falls quiet when one holds."""
    await near.until_heard(2 * ONE_SECOND)
    await far.until_heard(2 * ONE_SECOND)
    for presser, hearer, key in ((one, other, "5"), (other, one, "7")):
        await presser.press(key)
        assert (await hearer.event("CALL_DTMF_START"))["param"] == key
    for holder in (one, other):
        await holder.hold()
        await near.until_quiet()
        near.forget()
        far.forget()
        await holder.resume()
        await near.until_heard(2 * ONE_SECOND)
        await far.until_heard(2 * ONE_SECOND)


@dataclass(frozen=True)
class Home:
    """Alice's node, a phone's host on its network with all that crosses its wire, and Bob's node elsewhere there.

    Bob has a phone on a host of its own, too, with its own wire.
    """

    lan: Lan
    data: Path
    bobs_data: Path
    alice: Site
    bob: Site
    wire: Capture
    bobs_wire: Capture

    async def converse(self, paired: Baresip, far: Baresip, *, by_paired: bool) -> list[bytes]:
        """Let one call the other over the mesh: talk, press keys, hold, resume, hang up. Return all that was said."""
        clear, wire = self.bob.traffic(far), PhoneTraffic(self.wire, paired.rtp_ports)
        sites = (self.alice, self.bob) if by_paired else (self.bob, self.alice)
        caller, callee = (paired, far) if by_paired else (far, paired)
        await ring(caller, callee, sites[1].node.uri)
        await answer(caller, callee)
        await secured(*(site.node for site in sites))
        await talk(paired, far, wire, clear)
        await callee.hang_up()
        await caller.event("CALL_CLOSED")
        await ended(self.alice.node, self.bob.node)
        assert recognised(far, self.alice.speech[RATE]) > ONE_SECOND
        assert recognised(paired, self.bob.speech[RATE]) > ONE_SECOND
        return clear.heard() + clear.spoken()

    async def pair(self, name: str, *options: str, data: Path | None = None) -> Line:
        """Pair a phone, with Alice's node unless it is said otherwise; return its account."""
        paired = json.loads((await devices(data or self.data, "add", name, *options, "--json")).stdout)
        account = paired["account"]
        host, _, port = account["address"].rpartition(":")
        return Line(host, int(port), account["username"], account["secret"], login=account["login"])

    @asynccontextmanager
    async def phone(
        self, name: str = "kitchen", voice: str = "alice", *, by_dtls: bool = False, muxes: bool = False
    ) -> AsyncIterator[Baresip]:
        """A paired phone on its own host, until it has gone and is revoked."""
        line = await self.pair(name, "--srtp", "dtls" if by_dtls else "sdes")
        phone = Baresip(
            line,
            (self.alice if voice == "alice" else self.bob).speech[RATE],
            namespace=self.lan.namespace("phone"),
            address=self.lan.address("phone"),
            transport="tls",
            encryption="dtls_srtp" if by_dtls else "srtp-mand",
            muxes=muxes,
        )
        self.alice.node.journal.forget()
        try:
            async with phone:
                assert (await self.alice.node.event("phone_registered"))["device"] == name
                yield phone
        finally:
            await devices(self.data, "revoke", name)
        self.assert_no_key_is_told()

    @asynccontextmanager
    async def linphone(self, tone: Path, *, by_dtls: bool = False) -> AsyncIterator[Linphone]:
        """A Linphone that is paired as `study` on the phones' host, until it has gone and is revoked."""
        line = await self.pair("study", "--srtp", "dtls" if by_dtls else "sdes")
        self.alice.node.journal.forget()
        try:
            async with Linphone(
                line,
                tone,
                self.lan.namespace("phone"),
                address=self.lan.address("phone"),
                transport="tls",
                encryption="dtls" if by_dtls else "srtp",
            ) as phone:
                assert (await self.alice.node.event("phone_registered"))["device"] == "study"
                yield phone
        finally:
            await devices(self.data, "revoke", "study")

    @asynccontextmanager
    async def bobs_phone(self) -> AsyncIterator[Baresip]:
        """A phone on a host of its own, paired with Bob's node."""
        line = await self.pair("study", data=self.bobs_data)
        phone = Baresip(
            line,
            self.bob.speech[RATE],
            namespace=self.lan.namespace("far"),
            address=self.lan.address("far"),
            transport="tls",
            encryption="srtp-mand",
        )
        self.bob.node.journal.forget()
        try:
            async with phone:
                assert (await self.bob.node.event("phone_registered"))["device"] == "study"
                yield phone
        finally:
            await devices(self.bobs_data, "revoke", "study")
        self.assert_no_key_is_told()

    def assert_no_key_is_told(self) -> None:
        for site in (self.alice, self.bob):
            assert "inline:" not in site.node.program.stdout + site.node.program.stderr

    def assert_nothing_in_the_clear(self, start: int, said: list[bytes]) -> None:
        """Look at the wire of the phone: TLS, and RTP whose payload is none of what was said."""
        packets = self.wire.packets[start:]
        payloads = [rtp_payload(packet.payload) for packet in packets if packet.protocol == "udp"]
        sound = [payload for payload in payloads if payload is not None]
        assert len(sound) > ONE_SECOND
        assert {len(payload) for payload in sound} <= {PCMU_BYTES + tag for tag in TAG_BYTES} | {
            16 + tag for tag in TAG_BYTES
        } | {4 + tag for tag in TAG_BYTES}
        assert said
        known = {payload for payload in said if len(set(payload)) > 8}
        assert known
        assert not any(payload[:PCMU_BYTES] in known for payload in sound)
        signalling = [packet.payload for packet in packets if packet.protocol == "tcp" and packet.payload]
        assert signalling
        assert not any(b"SIP/2.0" in each or b"inline:" in each for each in signalling)
        assert not any(b"SIP/2.0" in packet.payload for packet in packets)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def home(voices: dict[str, Speech]) -> AsyncIterator[Home]:
    async with home_of(voices) as made:
        yield made


@asynccontextmanager
async def home_of(voices: dict[str, Speech]) -> AsyncIterator[Home]:
    """Set all of it up."""
    with Lan("a", "b", "phone", "far") as lan:
        async with (
            two_sites(lan, voices) as (alice, bob),
            Capture("eth0", lan.namespace("phone")) as wire,
            Capture("eth0", lan.namespace("far")) as bobs_wire,
        ):
            yield Home(lan, alice.node.data, bob.node.data, alice, bob, wire, bobs_wire)


def recognised(phone: Baresip, said: Path) -> int:
    """Return how many of the 20 ms frames that a phone heard were said by the other one."""
    return frames_recognised(read_wav(phone.recordings()[-1])[1], read_wav(said)[1])


async def test_the_echo_comes_back(home: Home) -> None:
    async with home.phone() as phone:
        start = len(home.wire.packets)
        wire = PhoneTraffic(home.wire, phone.rtp_ports)
        await phone.dial("sip:echo@mesh")
        await phone.event("CALL_ESTABLISHED")
        await home.alice.node.event("call_secured")
        await wire.until_heard(4 * ONE_SECOND)
        await phone.hang_up()
        await ended(home.alice.node)
        assert recognised(phone, home.alice.speech[RATE]) > ONE_SECOND
        assert not any(b"SIP/2.0" in packet.payload for packet in home.wire.packets[start:])


@pytest.mark.parametrize("by_paired", [True, False])
async def test_calls_over_the_mesh_go_both_ways(home: Home, *, by_paired: bool) -> None:
    async with home.phone() as paired, home.bob.phone() as far:
        start = len(home.wire.packets)
        said = await home.converse(paired, far, by_paired=by_paired)
        home.assert_nothing_in_the_clear(start, said)


@pytest.mark.parametrize("by_paired", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_the_node_relays_between_its_paired_phone_and_a_plain_one_beside_it(
    home: Home, *, by_paired: bool
) -> None:
    async with home.phone() as paired, home.alice.phone() as beside:
        start = len(home.wire.packets)
        clear, wire = home.alice.traffic(beside), PhoneTraffic(home.wire, paired.rtp_ports)
        caller, callee = (paired, beside) if by_paired else (beside, paired)
        await ring(caller, callee, home.alice.node.uri)
        await answer(caller, callee)
        await clear.until_heard(2 * ONE_SECOND)
        await wire.until_heard(2 * ONE_SECOND)
        await paired.press("5")
        assert (await beside.event("CALL_DTMF_START"))["param"] == "5"
        await beside.hold()
        await wire.until_quiet()
        await beside.resume()
        clear.forget()
        wire.forget()
        await clear.until_heard(2 * ONE_SECOND)
        await wire.until_heard(2 * ONE_SECOND)
        await caller.hang_up()
        await callee.event("CALL_CLOSED")
        await ended(home.alice.node)
        assert recognised(beside, home.alice.speech[RATE]) > ONE_SECOND
        home.assert_nothing_in_the_clear(start, clear.heard() + clear.spoken())


@pytest.mark.parametrize("by_neighbour", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_a_phone_that_is_sent_on_goes_on_encrypted(home: Home, *, by_neighbour: bool) -> None:
    site = home.alice if by_neighbour else home.bob
    async with home.phone() as paired, phone_of(site.node, home.bob.speech) as other:
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
        home.assert_nothing_in_the_clear(start, clear.heard() + clear.spoken())


async def test_two_paired_phones_encrypt_from_end_to_end(home: Home) -> None:
    async with home.phone() as kitchen, home.phone("hall", "bob") as hall:
        start = len(home.wire.packets)
        wire = PhoneTraffic(home.wire, kitchen.rtp_ports)
        await ring(kitchen, hall, home.alice.node.uri)
        await answer(kitchen, hall)
        lo = Capture("lo", home.lan.namespace("phone"))
        async with lo:
            direct = PhoneTraffic(lo, kitchen.rtp_ports)
            await direct.until_heard(2 * ONE_SECOND)
        await hall.hang_up()
        await kitchen.event("CALL_CLOSED")
        await ended(home.alice.node)
        assert recognised(kitchen, home.bob.speech[RATE]) > ONE_SECOND // 2
        assert wire.heard() == [], "not by the node"
        assert not any(b"SIP/2.0" in packet.payload for packet in home.wire.packets[start:])


def media_of(wire: Capture, start: int, ports: range, *, sent: bool) -> list[bytes]:
    """Return all datagrams, RTP and RTCP, that a phone has sent or got."""
    return [
        packet.payload
        for packet in wire.packets[start:]
        if packet.protocol == "udp" and (packet.source if sent else packet.destination)[1] in ports
    ]


@pytest.mark.parametrize("by_alice", [True, False])
async def test_what_paired_phones_of_two_nodes_encrypt_goes_through_as_it_is(
    home: Home, *, by_alice: bool
) -> None:
    async with home.phone() as kitchen, home.bobs_phone() as study:
        starts = len(home.wire.packets), len(home.bobs_wire.packets)
        near = PhoneTraffic(home.wire, kitchen.rtp_ports)
        far = PhoneTraffic(home.bobs_wire, study.rtp_ports)
        if by_alice:
            await ring(kitchen, study, home.bob.node.uri)
            await answer(kitchen, study)
        else:
            await ring(study, kitchen, home.alice.node.uri)
            await answer(study, kitchen)
        sites = (home.alice, home.bob) if by_alice else (home.bob, home.alice)
        await secured(*(site.node for site in sites))
        for site in sites:
            assert (await site.node.event("phones_secure_themselves"))["by"] == "SRTP"
        await talk(kitchen, study, near, far)
        await study.hang_up()
        await kitchen.event("CALL_CLOSED")
        await ended(home.alice.node, home.bob.node)
        for wire, at, phone, other_wire, other_at, other in (
            (home.wire, starts[0], kitchen, home.bobs_wire, starts[1], study),
            (home.bobs_wire, starts[1], study, home.wire, starts[0], kitchen),
        ):
            sent = media_of(wire, at, phone.rtp_ports, sent=True)
            got = media_of(other_wire, other_at, other.rtp_ports, sent=False)
            assert len(got) > 5 * ONE_SECOND
            assert len(set(got)) == len(got)
            assert set(got) <= set(sent), "byte for byte, tags included"
            assert len(set(sent) - set(got)) < ONE_SECOND
        assert recognised(study, home.alice.speech[RATE]) > ONE_SECOND
        assert recognised(kitchen, home.bob.speech[RATE]) > ONE_SECOND
        for site in sites:
            assert not site.node.journal.has("phones_secure_themselves", by="")


async def test_a_phone_that_was_secured_from_end_to_end_is_sent_on_to_a_plain_one(home: Home) -> None:
    async with home.phone() as kitchen, home.bobs_phone() as study:
        await ring(kitchen, study, home.bob.node.uri)
        await answer(kitchen, study)
        await home.alice.node.event("phones_secure_themselves", by="SRTP")
        wire = PhoneTraffic(home.wire, kitchen.rtp_ports)
        await wire.until_heard(2 * ONE_SECOND)
        async with home.bob.phone() as plain:
            start, clear = len(home.wire.packets), home.bob.traffic(plain)
            await study.transfer(home.bob.node.uri)
            await plain.event("CALL_INCOMING")
            await plain.accept()
            moved = await home.alice.node.event("call_transferred")
            await home.alice.node.event("call_secured", call=moved["into"])
            await clear.until_heard(2 * ONE_SECOND)
            wire.forget()
            await wire.until_heard(4 * ONE_SECOND)
            await kitchen.press("5")
            assert (await plain.event("CALL_DTMF_START"))["param"] == "5"
            await kitchen.hold()
            await wire.until_quiet()
            await kitchen.resume()
            wire.forget()
            await wire.until_heard(2 * ONE_SECOND)
            await plain.hang_up()
            await home.alice.node.event("call_ended", call=moved["into"])
            heard = read_wav(kitchen.recordings()[-1])[1][-4 * RATE :]
            assert frames_recognised(heard, read_wav(home.bob.speech[RATE])[1]) > ONE_SECOND // 2
            assert recognised(plain, home.alice.speech[RATE]) > ONE_SECOND
            home.assert_nothing_in_the_clear(start, clear.heard() + clear.spoken())


async def test_a_phone_that_talked_directly_and_is_sent_on_goes_on_under_a_key_of_the_node(
    home: Home, tmp_path: Path
) -> None:
    """With Linphone: baresip 1.0 keeps the other phone's key, whatever a re-INVITE says."""
    tone = make_tone(tmp_path / "620.wav", 620)
    async with home.phone("hall", "bob") as hall, home.bob.phone() as far, home.linphone(tone) as phone:
        phone.command(f"call {home.alice.node.uri}")
        await hall.event("CALL_INCOMING")
        await hall.accept()
        async with Capture("lo", home.lan.namespace("phone")) as direct:
            await PhoneTraffic(direct, hall.rtp_ports).until_heard(ONE_SECOND)
        await hall.transfer(home.bob.node.uri)
        await far.event("CALL_INCOMING")
        await far.accept()
        moved = await home.alice.node.event("call_transferred", part="transferee")
        await home.alice.node.event("call_secured", call=moved["into"])
        await home.bob.traffic(far).until_heard(4 * ONE_SECOND)
        phone.command("terminate")
        await phone.says("Call terminated", "ended")
        await home.alice.node.event("call_ended", call=moved["into"])
        heard = read_wav(phone.recording)[1][-3 * RATE :]
        tone_heard = read_wav(far.recordings()[-1])[1][-RATE:]
    assert frames_recognised(heard, read_wav(home.bob.speech[RATE])[1]) > ONE_SECOND
    assert abs(main_frequency(tone_heard, RATE) - 620) < 5


async def test_a_paired_phone_that_does_not_encrypt_its_sound_cannot_call(home: Home) -> None:
    line = await home.pair("old")
    phone = Baresip(
        line,
        home.alice.speech[RATE],
        namespace=home.lan.namespace("phone"),
        address=home.lan.address("phone"),
        transport="tls",
    )
    async with phone:
        await phone.dial("sip:echo@mesh")
        closed = await phone.event("CALL_CLOSED")
        assert "488" in closed["param"]
        with pytest.raises(NotSeenError):
            await phone.event("CALL_ESTABLISHED", timeout=0.5)
    await devices(home.data, "revoke", "old")


@pytest.mark.parametrize("by_paired", [True, pytest.param(False, marks=pytest.mark.long)])
async def test_another_kind_of_phone_does_it_too(home: Home, tmp_path: Path, *, by_paired: bool) -> None:
    tone = make_tone(tmp_path / "620.wav", 620)
    async with home.bob.phone() as far:
        clear, start = home.bob.traffic(far), len(home.wire.packets)
        async with home.linphone(tone) as phone:
            if by_paired:
                phone.command(f"call {home.bob.node.uri}")
                await far.event("CALL_INCOMING")
                await far.accept()
            else:
                await far.dial(home.alice.node.uri)
            await far.event("CALL_ESTABLISHED")
            await clear.until_heard(4 * ONE_SECOND)
            await far.hang_up()
            await phone.says("Call terminated", "ended")
            await ended(home.alice.node, home.bob.node)
            rate, heard = read_wav(phone.recording)
        _, tone_heard = read_wav(far.recordings()[-1])
        assert abs(main_frequency(tone_heard[-8_000:], 8_000) - 620) < 5
        assert len(voiced_frames(heard)) * 160 / rate > 1
        home.assert_nothing_in_the_clear(start, clear.heard() + clear.spoken())


async def test_a_phone_is_plain_by_consent_only_and_it_shows(voices: dict[str, Speech]) -> None:
    with Lan("node", "phone") as lan, DataDirectory("alice") as data:
        node = Node(
            "alice",
            data,
            namespace=lan.namespace("node"),
            listen=f"{lan.address('node')}:7350",
            sip=f"{lan.address('node')}:5060",
        )
        async with node:
            paired = json.loads((await devices(data, "add", "old", "--plain", "--json")).stdout)
            assert (await node.event("device_paired"))["plain"] is True
            account = paired["account"]
            host, _, port = account["address"].rpartition(":")
            line = Line(host, int(port), account["username"], account["secret"], login=account["login"])
            phone = Baresip(
                line,
                voices["alice"][RATE],
                namespace=lan.namespace("phone"),
                address=lan.address("phone"),
            )
            async with Capture("eth0", lan.namespace("phone")) as wire, phone:
                assert (await node.event("phone_registered"))["device"] == "old"
                assert "NOT ENCRYPTED" in (await devices(data)).stdout
                traffic = PhoneTraffic(wire, phone.rtp_ports)
                await phone.dial("sip:echo@mesh")
                await phone.event("CALL_ESTABLISHED")
                await traffic.until_heard(2 * ONE_SECOND)
                await phone.hang_up()
                await node.event("call_ended")
                assert set(traffic.heard()) & set(traffic.spoken()), "the echo, as it was said"
