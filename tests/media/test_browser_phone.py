"""A browser as a plain phone: a WebRTC client on one side, the RTP echo on the other."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from media.aiortc_adapter.dtls import CallCertificate, DtlsSession
from media.aiortc_adapter.ice import IceConnection
from media.browser_phone import BrowserPhone
from media.errors import MediaRefused
from media.protocol.browser_side import browser_transports
from media.protocol.phone_side import phone_media
from media.protocol.sdp import SessionDescription
from media.protocol.transport import Setup, Transport
from media.softphone import EchoPhone

from .call_pair import LOOPBACK, rtp, until

HEAD = "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\na=msid-semantic: WMS s\r\n"
SECTION = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 110\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n{transport}\r\n"
    "a=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=rtcp-mux\r\n"
    "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:110 telephone-event/48000\r\n"
    "a=ssrc:1001 cname:c\r\n"
)


class WebRtcClient:
    """What a browser does, in little."""

    def __init__(self, *, offers: bool) -> None:
        self.heard: list[bytes] = []
        self._certificate = CallCertificate.generate()
        self._ice = IceConnection(
            controlling=offers,
            addresses=[LOOPBACK],
            ufrag=secrets.token_hex(4),
            password=secrets.token_hex(16),
        )
        self._session: DtlsSession | None = None

    async def describe(self, setup: Setup) -> bytes:
        """Return an offer or answer."""
        if not self._ice.local_candidates:
            await self._ice.gather_candidates()
        transport = Transport(
            self._ice.local_username,
            self._ice.local_password,
            self._certificate.fingerprint,
            setup,
            self._ice.candidates(),
        )
        return (HEAD + SECTION.format(transport="\r\n".join(transport.lines()))).encode()

    async def connect(self, description: bytes) -> None:
        """Connect to whom a description describes."""
        (remote,) = browser_transports(SessionDescription.parse(description))
        assert remote is not None
        await self._ice.add_candidates(remote.candidates, complete=True)
        self._ice.remote_username, self._ice.remote_password = remote.ufrag, remote.password
        await self._ice.connect()
        self._session = DtlsSession(
            self._ice,
            self._certificate,
            is_server=False,
            peer_fingerprint=remote.fingerprint,
            on_data=lambda _data: None,
        )
        await self._session.handshake()
        self._outbound, inbound = self._session.srtp()
        self._ice.open_srtp(lambda data: self.heard.append(inbound.process(data) or b""))

    def say(self, packet: bytes) -> None:
        """Send one packet."""
        self._ice.send_srtp(self._outbound.process(packet) or b"")

    async def aclose(self) -> None:
        """Close."""
        if self._session is not None:
            await self._session.aclose()
        await self._ice.close()


@asynccontextmanager
async def phone_of_a_browser() -> AsyncIterator[tuple[BrowserPhone, list[tuple[int, str]]]]:
    failures: list[tuple[int, str]] = []
    phone = BrowserPhone(lambda status, reason: failures.append((status, reason)))
    async with asyncio.TaskGroup() as group:
        group.create_task(phone.run())
        try:
            yield phone, failures
        finally:
            await phone.aclose()


@pytest.mark.parametrize("offers", [True, False])
async def test_payloads_pass_untouched_whoever_offers_and_the_cipher_is_aes_gcm(offers: bool) -> None:
    client, echo = WebRtcClient(offers=offers), EchoPhone()
    async with phone_of_a_browser() as (phone, failures):
        if offers:
            plain = await phone.offer_from_browser(await client.describe("actpass"))
            answer = await phone.answer_to_browser(await echo.answer(plain))
            assert b"a=setup:passive" in answer
            await client.connect(answer)
        else:
            offer = await phone.offer_to_browser(await echo.offer())
            assert b"a=setup:actpass" in offer
            await echo.answered(await phone.answer_from_browser(await client.describe("active")))
            await client.connect(offer)
        await until(lambda: len(phone.protection_profiles()) == 1)
        sent = [rtp(number) for number in range(50)]
        for packet in sent:
            client.say(packet)
        await until(lambda: len(client.heard) == 50)
        assert [packet[12:] for packet in client.heard] == [packet[12:] for packet in sent]
        assert "GCM" in phone.protection_profiles()[0]
        assert phone.statistics().to_phone.packets == phone.statistics().to_mesh.packets == 50
        assert failures == []
        await client.aclose()
        await echo.aclose()


async def test_only_transport_lines_change_and_the_plain_side_is_one_that_every_phone_takes() -> None:
    client = WebRtcClient(offers=True)
    async with phone_of_a_browser() as (phone, _):
        offer = await client.describe("actpass")
        plain = SessionDescription.parse(await phone.offer_from_browser(offer))
        (section,) = plain.media
        (side,) = phone_media(plain)
        assert (section.profile, section.formats) == ("RTP/AVP", "111 0 110")
        assert side is not None
        assert side.host == LOOPBACK
        kept = ("a=rtpmap", "a=fmtp", "a=extmap", "a=ssrc", "a=mid", "a=sendrecv")
        assert [line for line in section.lines if line.startswith(kept)] == [
            line for line in offer.decode().split("\r\n") if line.startswith(kept)
        ]
        for secret in ("ice-", "fingerprint", "candidate", "setup", "rtcp-mux"):
            assert secret not in bytes(plain).decode()
    await client.aclose()


async def test_a_browser_that_wants_to_be_the_dtls_server_or_changes_its_keys_is_refused() -> None:
    client, other, echo = WebRtcClient(offers=False), WebRtcClient(offers=False), EchoPhone()
    async with phone_of_a_browser() as (phone, _):
        await phone.offer_to_browser(await echo.offer())
        with pytest.raises(MediaRefused, match="wrong side"):
            await phone.answer_from_browser(await client.describe("passive"))
        await phone.answer_from_browser(await client.describe("active"))
        with pytest.raises(MediaRefused, match="changed its transport"):
            await phone.answer_from_browser(await other.describe("active"))
    for party in (client, other, echo):
        await party.aclose()


@pytest.mark.parametrize(
    "sdp", [b"", b"v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"]
)
async def test_what_is_no_description_of_a_browser_is_refused_in_words(sdp: bytes) -> None:
    async with phone_of_a_browser() as (phone, _):
        with pytest.raises(MediaRefused, match=r"description|browser"):
            await phone.offer_from_browser(sdp)


async def test_a_former_call_that_still_sends_does_not_draw_the_sound_back() -> None:
    client, former, latter = WebRtcClient(offers=True), EchoPhone(), EchoPhone()
    async with phone_of_a_browser() as (phone, _):
        plain = await phone.offer_from_browser(await client.describe("actpass"))
        await client.connect(await phone.answer_to_browser(await former.answer(plain)))
        await until(lambda: len(phone.protection_profiles()) == 1)
        client.say(rtp(0))
        await until(lambda: len(client.heard) == 1)
        await phone.offer_to_browser(await latter.answer(plain))
        former._ports[0].send_back(rtp(1))
        await until(lambda: phone.statistics().drops.get("phone_foreign_source") == 1)
        client.say(rtp(2))
        await until(lambda: len(client.heard) == 2)
        assert (former.packets_received, latter.packets_received) == (1, 1)
    for party in (client, former, latter):
        await party.aclose()


async def test_a_browser_that_goes_away_is_told_as_the_end_of_the_media(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("media.browser_leg.GOODBYE_SECONDS", 0.0)
    client, echo = WebRtcClient(offers=True), EchoPhone()
    async with phone_of_a_browser() as (phone, failures):
        plain = await phone.offer_from_browser(await client.describe("actpass"))
        await client.connect(await phone.answer_to_browser(await echo.answer(plain)))
        await until(lambda: len(phone.protection_profiles()) == 1)
        await client.aclose()
        await until(lambda: len(failures) == 1)
        assert failures == [(480, "The browser closed its connection")]
    await echo.aclose()
