"""The page's server: who gets in, what a page can do to it, and what its calls hear."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import pytest

from freecall.browser.handset import MAX_CALLS
from freecall.browser.server import serve_browser
from freecall.events import EventLog
from freecall.supervise import Supervisor
from sipgate.handset import Handset, HandsetCall
from sipgate.ports import Peer, Refusal

ALICE = "sip:alice@mesh"
PEER = Peer("sip:bob@mesh", "Bob", "pinned", "F" * 40, b"", known=True)
SECTION = (
    "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=setup:{setup}\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 "
    + ":".join(["AB"] * 32)
    + "\r\na=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
)
OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n" + SECTION.format(setup="actpass")
ANSWER = OFFER.replace("actpass", "active")
PLAIN = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


@dataclass
class Line:
    """What the call lets its handset do, noted."""

    call: str = "abc"
    ended: asyncio.Queue[tuple[int, str]] = field(default_factory=asyncio.Queue)

    def hang_up(self, status: int = 200, reason: str = "hung up") -> None:
        self.ended.put_nowait((status, reason))

    async def change(self, offer: bytes) -> bytes:
        assert b"RTP/AVP 0" in offer
        return PLAIN


@dataclass
class Exchange:
    """A gateway in little: at most `room` handsets."""

    room: int = 8
    handsets: list[Handset] = field(default_factory=list)
    placed: asyncio.Queue[tuple[str, HandsetCall, Line, bytes]] = field(default_factory=asyncio.Queue)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @contextmanager
    def attached(self, local_uri: str, handset: Handset) -> Iterator[None]:
        assert local_uri == ALICE
        if len(self.handsets) >= self.room:
            raise Refusal(503, "This user has as many browsers open as one user can have")
        self.handsets.append(handset)
        self.changed.set()
        try:
            yield
        finally:
            self.handsets.remove(handset)
            self.changed.set()

    def call_from(
        self, local_uri: str, target: str, handset: Handset, call: HandsetCall, offer: bytes
    ) -> object:
        assert local_uri == ALICE
        assert handset in self.handsets
        if "nobody" in target:
            raise Refusal(404, "Nobody has this name")
        line = Line()
        call.take(line)
        self.placed.put_nowait((target, call, line, offer))
        return line

    async def until(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.handsets) != count:
                self.changed.clear()
                await self.changed.wait()


@dataclass
class Served:
    """A server, its gateway, and a way in."""

    url: str
    exchange: Exchange
    log: EventLog
    client: aiohttp.ClientSession

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def token(self) -> str:
        return urlsplit(self.url).fragment

    @asynccontextmanager
    async def page(self, **changes: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open the WebSocket as the page does, or with another `token`, `origin` or `host`."""
        headers = {"Origin": changes.get("origin", self.origin)}
        if "host" in changes:
            headers["Host"] = changes["host"]
        protocols = ("freecall.v1", "token." + changes.get("token", self.token))
        async with self.client.ws_connect(
            f"{self.origin}/phone", protocols=protocols, headers=headers
        ) as socket:
            yield socket


async def hear(page: aiohttp.ClientWebSocketResponse, what: str) -> dict[str, object]:
    """Return the next message of a kind."""
    async with asyncio.timeout(5):
        while (said := json.loads(await page.receive_str()))["is"] != what:
            pass
    return dict(said)


@asynccontextmanager
async def served(room: int = 8) -> AsyncIterator[Served]:
    exchange, log = Exchange(room), EventLog(lambda: 0.0)
    async with (
        asyncio.TaskGroup() as group,
        aiohttp.ClientSession() as client,
        serve_browser(exchange, ALICE, log, Supervisor(group)) as url,
    ):
        yield Served(url, exchange, log, client)


async def test_the_page_comes_with_everything_forbidden_that_it_does_not_need() -> None:
    async with served() as it:
        for path, kind in (("/", "text/html"), ("/phone.js", "text/javascript"), ("/phone.css", "text/css")):
            async with it.client.get(it.origin + path) as response:
                assert (response.status, response.content_type) == (200, kind)
                policy = response.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert "frame-ancestors 'none'" in policy
                assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
                assert response.headers["Cache-Control"] == "no-store"
                assert it.token not in await response.text()
        async with it.client.get(it.origin + "/../config.toml") as response:
            assert response.status == 404
            assert "Content-Security-Policy" in response.headers


async def test_nothing_is_served_unless_it_is_wanted() -> None:
    async with asyncio.TaskGroup() as group:
        supervisor = Supervisor(group)
        async with serve_browser(Exchange(), ALICE, EventLog(lambda: 0.0), supervisor, wanted=False) as url:
            assert url == ""


@pytest.mark.parametrize("host", ["evil.example", "localhost:7360", "127.0.0.1", "127.0.0.1:1"])
async def test_a_name_that_was_rebound_to_this_computer_gets_nothing(host: str) -> None:
    async with served() as it:
        async with it.client.get(it.origin + "/", headers={"Host": host}) as response:
            assert response.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            async with it.page(host=host):
                pass


@pytest.mark.parametrize(
    "changes",
    [
        {"token": ""},
        {"token": "x" * 43},
        {"token": "\u00e9"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
    ],
)
async def test_no_other_page_and_nobody_without_the_token_gets_in(changes: dict[str, str]) -> None:
    async with served() as it:
        with pytest.raises((aiohttp.WSServerHandshakeError, UnicodeEncodeError)):
            async with it.page(**changes):
                pass
        assert it.exchange.handsets == []


async def test_a_program_that_names_no_origin_is_no_page() -> None:
    async with served() as it:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await it.client.ws_connect(f"{it.origin}/phone", protocols=("freecall.v1", "token." + it.token))


async def test_a_page_too_many_hears_why_it_is_closed() -> None:
    async with served(room=1) as it, it.page() as first:
        await hear(first, "ready")
        async with it.page() as second:
            message = await second.receive()
            assert message.type is aiohttp.WSMsgType.CLOSE
            assert "as many browsers" in str(message.extra)


@pytest.mark.parametrize("said", ["nonsense", '{"do": "decline"}', b"\x00", "x" * 70_000])
async def test_a_page_that_says_what_is_not_understood_is_closed_and_detached(said: str | bytes) -> None:
    async with served() as it, it.page() as page:
        await hear(page, "ready")
        await (page.send_bytes(said) if isinstance(said, bytes) else page.send_str(said))
        async with asyncio.timeout(5):
            assert (await page.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        await it.exchange.until(0)


async def test_a_page_calls_hears_it_ring_and_hangs_up() -> None:
    async with served() as it, it.page() as page:
        await page.send_json({"do": "call", "id": "p1", "uri": "bob@mesh", "sdp": OFFER})
        target, call, line, offer = await it.exchange.placed.get()
        assert (target, b"m=audio" in offer, b"RTP/AVP 0" in offer) == ("bob@mesh", True, True)
        call.present(PEER)
        call.progress(180)
        assert (await hear(page, "peer"))["trust"] == "pinned"
        assert (await hear(page, "progress"))["status"] == 180
        await call.answered(PLAIN)
        assert "a=setup:passive" in str((await hear(page, "answered"))["sdp"])
        it.log.emit("call_secured", call="abc", words=["one", "two"])
        it.log.emit("call_secured", call="of another call", words=[])
        assert (await hear(page, "event"))["words"] == ["one", "two"]
        await page.send_json({"do": "change", "id": "p1", "sdp": OFFER})
        assert (await hear(page, "changed"))["id"] == "p1"
        await page.send_json({"do": "hang_up", "id": "p1"})
        async with asyncio.timeout(5):
            await line.ended.get()
        await call.ended(200, "hung up")
        assert (await hear(page, "ended"))["reason"] == "hung up"


async def test_a_call_that_cannot_begin_is_told_in_words() -> None:
    async with served() as it, it.page() as page:
        await page.send_json({"do": "call", "id": "p1", "uri": "nobody@mesh", "sdp": OFFER})
        assert (await hear(page, "ended"))["status"] == 404
        await page.send_json({"do": "call", "id": "p2", "uri": "bob@mesh", "sdp": "v=0\r\n"})
        assert (await hear(page, "ended"))["id"] == "p2"
        for number in range(3, 3 + MAX_CALLS + 1):
            await page.send_json({"do": "call", "id": f"p{number}", "uri": "bob@mesh", "sdp": OFFER})
        assert (await hear(page, "ended"))["reason"] == "This browser has as many calls as it can"
        for _ in range(MAX_CALLS):
            await (await it.exchange.placed.get())[1].ended(200, "enough")


async def test_a_call_rings_in_the_page_and_is_answered_declined_or_lost_with_the_page() -> None:
    async with served() as it:
        async with it.page() as page, asyncio.TaskGroup() as group:
            await hear(page, "ready")
            (handset,) = it.exchange.handsets
            calls = [handset.call_in() for _ in range(3)]
            lines = [Line() for _ in calls]
            for call, line in zip(calls, lines, strict=True):
                call.take(line)
            answered = group.create_task(calls[0].ring(PEER, PLAIN))
            incoming = await hear(page, "incoming")
            assert (incoming["uri"], incoming["name"], incoming["trust"]) == (PEER.uri, "Bob", "pinned")
            await page.send_json({"do": "answer", "id": incoming["id"], "sdp": ANSWER})
            assert b"RTP/AVP 0" in await answered
            declined = group.create_task(_refusal(calls[1].ring(PEER, PLAIN)))
            await page.send_json({"do": "decline", "id": (await hear(page, "incoming"))["id"]})
            assert (await declined).status == 603
            lost = group.create_task(_refusal(calls[2].ring(PEER, PLAIN)))
            await hear(page, "incoming")
            await page.close()
            assert (await lost).status == 480
            await it.exchange.until(0)
        assert lines[0].ended.get_nowait() == (200, "The browser page was closed")
        for call in calls:
            await call.ended(200, "over")


async def _refusal(ringing: object) -> Refusal:
    try:
        await ringing  # type: ignore[misc]
    except Refusal as refusal:
        return refusal
    raise AssertionError("it was answered")
