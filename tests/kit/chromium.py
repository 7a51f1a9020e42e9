"""A headless Chromium that has the node's page open, driven over the DevTools protocol.

Its microphone plays a WAV file, over and over. What one must know: without a display it needs no sandbox as root;
it gathers no loopback candidate, so it needs some other address; a page in the background is throttled.
"""

import asyncio
import json
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp.connector import AddrInfoType

from tests.kit.journal import Event, Journal
from tests.kit.netns import inside
from tests.kit.process import Program

PROGRAM = "chromium"
_SWITCHES = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--mute-audio",
    "--autoplay-policy=no-user-gesture-required",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--remote-debugging-port=0",
)

# Notes each encoded frame that leaves and arrives, and the sound that is heard, for the test to fetch.
_EARS = """
phone.microphone = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
phone.configuration = { ...phone.configuration, encodedInsertableStreams: true };
phone.frames = { said: [], heard: [] };
phone.samples = [];
phone.note = (kind, streams) => streams.readable.pipeThrough(new TransformStream({
  transform(frame, control) {
    const bytes = new Uint8Array(frame.data);
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    phone.frames[kind].push(btoa(text));
    control.enqueue(frame);
  },
})).pipeTo(streams.writable);
phone.ear = URL.createObjectURL(new Blob([`registerProcessor("ear", class extends AudioWorkletProcessor {
  process([[sound]]) { if (sound) this.port.postMessage(sound); return true; }
})`], { type: "text/javascript" }));
phone.listen = async (track) => {
  const context = new AudioContext({ sampleRate: 8000 });
  await context.audioWorklet.addModule(phone.ear);
  const ear = new AudioWorkletNode(context, "ear");
  ear.port.onmessage = ({ data }) => {
    if (track.readyState === "live") phone.samples.push(data);
    else if (context.state !== "closed") context.close();
  };
  context.createMediaStreamSource(new MediaStream([track])).connect(ear).connect(context.destination);
};
phone.prepare = ({ peer }) => {
  const add = peer.addTrack.bind(peer);
  peer.addTrack = (...all) => {
    const sender = add(...all);
    phone.note("said", sender.createEncodedStreams());
    return sender;
  };
  peer.addEventListener("track", ({ receiver, track }) => {
    phone.note("heard", receiver.createEncodedStreams());
    phone.listen(track);
  });
};
phone.addEventListener("news", ({ detail }) => __news(JSON.stringify(detail)));
for (const news of phone.log) __news(JSON.stringify(news));
"""


@dataclass
class Chromium:
    """One browser with one page; an async context manager. Entering waits until the page is the node's phone."""

    url: str
    speech: Path
    namespace: str | None = None
    journal: Journal = field(init=False)
    _folder: Path = field(init=False)
    _program: Program = field(init=False)
    _session: aiohttp.ClientSession = field(init=False)
    _socket: aiohttp.ClientWebSocketResponse = field(init=False)
    _reading: asyncio.Task[None] = field(init=False)
    _answers: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict, init=False)
    _loaded: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _numbers: int = field(default=0, init=False)

    async def __aenter__(self) -> Self:
        self.journal = Journal("browser", "is")
        self._folder = Path(tempfile.mkdtemp(prefix="fc-browser-"))
        self._program = await Program.start(
            [
                PROGRAM,
                *_SWITCHES,
                f"--user-data-dir={self._folder}",
                f"--use-file-for-fake-audio-capture={self.speech}",
                "about:blank",
            ],
            namespace=self.namespace,
        )
        try:
            connector = aiohttp.TCPConnector(socket_factory=self._socket_there)
            self._session = aiohttp.ClientSession(connector=connector)
            await self._connect(await self._devtools_port())
            for domain in ("Page", "Runtime"):
                await self._ask(f"{domain}.enable")
            await self._ask("Page.setBypassCSP", enabled=True)  # for the test's own ears, not for the page
            await self._ask("Runtime.addBinding", name="__news")
            await self._open_page()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if hasattr(self, "_reading"):
            self._reading.cancel()
            await self._socket.close()
        await self._session.close()
        await self._program.stop(signal.SIGTERM, timeout=5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _socket_there(self, address: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, _ = address
        made = inside(self.namespace, lambda: socket.socket(family, kind, protocol))
        made.setblocking(False)
        return made

    async def _devtools_port(self) -> str:
        chosen = self._folder / "DevToolsActivePort"
        async with asyncio.timeout(20):
            while not (chosen.exists() and "\n" in (text := chosen.read_text())):
                assert self._program.returncode is None, self._program.stderr[-2000:]
                await asyncio.sleep(0.05)
        return text.split("\n")[0]

    async def _connect(self, port: str) -> None:
        async with self._session.get(f"http://127.0.0.1:{port}/json/list") as response:
            targets = await response.json(content_type=None)
        page = next(target for target in targets if target["type"] == "page")
        self._socket = await self._session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0)
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _open_page(self) -> None:
        await self._go(self.url)
        await self.run(_EARS)
        await self.news("ready", "closed")

    async def _go(self, url: str) -> None:
        self._loaded.clear()
        await self._ask("Page.navigate", url=url)
        await self._loaded.wait()

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._answers.pop(said["id"]).set_result(said)
            elif said["method"] == "Page.loadEventFired":
                self._loaded.set()
            elif said["method"] == "Runtime.bindingCalled":
                self.journal.append(json.loads(said["params"]["payload"]))

    async def _ask(self, method: str, **parameters: object) -> dict[str, Any]:
        self._numbers += 1
        waiting = self._answers[self._numbers] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": self._numbers, "method": method, "params": parameters})
        async with asyncio.timeout(15):
            answer: dict[str, Any] = await waiting
        assert "error" not in answer, answer
        return dict(answer["result"])

    async def run(self, script: str) -> Any:
        """Run JavaScript in the page, as a person at its console; return what it comes to."""
        answer = await self._ask(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def news(self, *kinds: str, timeout: float = 10, **fields: object) -> Event:
        """Wait for what the page is told next: `incoming`, `answered`, `ended` …"""
        return await self.journal.wait(*kinds, timeout=timeout, **fields)

    async def call(self, uri: str) -> str:
        """Call somebody; return the call's id."""
        return str(await self.run(f"phone.call({json.dumps(uri)})"))

    async def answer(self) -> str:
        """Wait until it rings, and pick up; return the call's id."""
        name = str((await self.news("incoming"))["id"])
        await self.run(f"phone.answer('{name}')")
        return name

    async def hang_up(self, name: str) -> None:
        """End a call, or decline it."""
        await self.run(f"phone.hangUp('{name}')")

    async def hold(self, name: str, *, is_held: bool) -> None:
        """Put a call on hold, or take it back; return when the other side has agreed."""
        await self.run(f"phone.hold('{name}', {str(is_held).lower()})")
        await self.news("changed", id=name)

    async def press(self, name: str, keys: str) -> None:
        """Send keys (RFC 4733)."""
        await self.run(f"phone.press('{name}', '{keys}')")

    async def statistics(self, name: str) -> dict[str, dict[str, Any]]:
        """Return the WebRTC statistics of a call, the latest of each type."""
        script = f"phone.calls.get('{name}').peer.getStats().then((all) => [...all.values()])"
        return {each["type"]: each for each in await self.run(script)}

    async def forget(self) -> None:
        """Forget the frames and the sound of the calls before."""
        await self.run("phone.frames = { said: [], heard: [] }; phone.samples = []; undefined")

    @asynccontextmanager
    async def away(self) -> AsyncIterator[None]:
        """Close the page for a while."""
        await self._go("about:blank")
        yield
        await self._open_page()

    async def frames(self) -> dict[str, list[str]]:
        """Return all encoded frames so far, in base 64: `said` and `heard`."""
        return dict(await self.run("phone.frames"))

    async def until_heard(self, frames: int) -> None:
        """Wait until so many encoded frames have come; TimeoutError after 15 s."""
        await self.run(
            "new Promise((resolve) => { const look = setInterval(() => {"
            f" if (phone.frames.heard.length >= {frames}) {{ clearInterval(look); resolve(); }} }}, 20); }})"
        )

    async def heard(self) -> list[int]:
        """Return the sound so far, 8,000 samples a second."""
        return [
            int(sample)
            for sample in await self.run(
                "phone.samples.flatMap((part) => Array.from(part, (x) => Math.round(x * 32767)))"
            )
        ]
