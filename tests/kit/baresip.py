"""A headless baresip (Debian 12: version 1.0.0), driven over its `ctrl_tcp` module.

Commands and events are JSON in netstrings. What one must know:
`net_interface` takes an address, not `lo`; the sample rate of the audio file, of the configuration and of the
codec must be the same; the TLS transport takes the port after the SIP port; `sndfile` writes what was
decoded to `*-dec.wav`.
Where the registrar answers within a millisecond, module `mwi` may subscribe for ever (it walks the list that
it appends to): so with extra modules the account is made only when they have started.
"""

import asyncio
import json
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.kit.journal import Event, Journal
from tests.kit.netns import HeldPorts, free_ports, inside
from tests.kit.nodes import Node
from tests.kit.process import Program

MODULES = Path("/usr/lib/baresip/modules")
RATES = {"PCMU": "PCMU/8000/1", "PCMA": "PCMA/8000/1", "G722": "G722/16000/1", "opus": "opus/48000/1"}
SAMPLE_RATES = {"PCMU": 8_000, "PCMA": 8_000, "G722": 16_000, "opus": 48_000}
_LOADED = ("g711", "g722", "opus", "aufile", "ausine", "aubridge", "sndfile", "uuid")


@dataclass(frozen=True)
class Line:
    """The SIP account that a phone is given: where to register, and as whom."""

    host: str
    port: int
    username: str
    password: str
    domain: str = "mesh"
    login: str = ""

    @classmethod
    def of(cls, node: Node) -> "Line":
        """The account that the node printed."""
        host, port = node.phones
        account = node.account
        return cls(host, port, account["username"], account["secret"], account["domain"])


@dataclass
class Baresip:
    """One phone; an async context manager.

    Entering starts it and, unless `must_register` is False, waits until it is registered. Leaving makes it
    unregister and quit. `speech` is the WAV file it plays into each call, mono and at the rate of `codec`.
    `encryption` is baresip's word for the media (`srtp-mand`, `dtls_srtp`). `modules` are loaded beside those of every
    call (`presence`, `mwi`), `contacts` are lines of its contact list, `settings` more lines of its configuration.
    `ptime_ms` is how much sound a packet holds: with Opus up to 60. With `keeps_flow` it registers as RFC 5626 says.
    With `muxes` it has RTCP on the port of RTP.
    """

    line: Line
    speech: Path
    namespace: str | None = None
    codec: str = "PCMU"
    transport: str = "udp"
    answers_by_itself: bool = False
    must_register: bool = True
    address: str = "127.0.0.1"
    modules: Sequence[str] = ()
    contacts: Sequence[str] = ()
    publishes: bool = False
    encryption: str = ""
    keeps_flow: bool = False
    ptime_ms: int = 20
    muxes: bool = False
    settings: Sequence[str] = ()
    sip_port: int = field(default=0, init=False)
    _held: HeldPorts = field(init=False)
    journal: Journal = field(init=False)
    _folder: Path = field(init=False)
    _program: Program = field(init=False)
    _control: "_Control" = field(init=False)

    async def __aenter__(self) -> Self:
        self.journal = Journal(f"phone {self.line.username}", "type")
        self._held = HeldPorts()
        self._folder = Path(tempfile.mkdtemp(prefix=f"fc-phone-{self.line.username}-"))
        try:
            control_port = self._write_configuration()
            self._program = await Program.start(
                ["baresip", "-4", "-f", str(self._folder)],
                namespace=self.namespace,
                cwd=self._folder,
                on_line=lambda text: self.journal.append({"type": "LOG", "text": text}),
            )
            try:
                self._control = await self._connect(control_port)
                if self.modules:
                    await self._control.command("uanew", self._account())
                if self.must_register:
                    await self._registered()
            except BaseException:
                await self._program.kill()
                raise
        except BaseException:
            self._release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._control.send("quit")
        try:
            await self._program.wait(5)
        except TimeoutError:
            await self._program.kill()
        self._control.close()
        self._release()

    @property
    def rtp_ports(self) -> range:
        """Where its RTP and RTCP come and go."""
        return self._held.ports

    async def event(self, *types: str, timeout: float = 10, **fields: object) -> Event:
        """Wait for the next baresip event (`CALL_RINGING`, `CALL_ESTABLISHED`, `CALL_CLOSED` …)."""
        return await self.journal.wait(*types, timeout=timeout, **fields)

    async def dial(self, uri: str) -> None:
        """Call somebody."""
        await self._control.command("dial", uri)

    async def accept(self) -> None:
        """Answer the call that rings."""
        await self._control.command("accept")

    async def hang_up(self) -> None:
        """End the call, cancel it or, when it comes in, reject it (486)."""
        await self._control.command("hangup")

    async def hold(self) -> None:
        """Put the call on hold (re-INVITE)."""
        await self._control.command("hold")

    async def resume(self) -> None:
        """Take the call back."""
        await self._control.command("resume")

    async def transfer(self, uri: str) -> None:
        """Send the other party to somebody else (REFER)."""
        await self._control.command("transfer", uri)

    async def press(self, key: str) -> None:
        """Send one DTMF key as RFC 4733 events."""
        await self._control.command("sndcode", key)

    async def ask(self, command: str) -> str:
        """Return what a command prints."""
        answer = await self._control.command(command)
        return str(answer.get("data", ""))

    async def write(self, text: str) -> None:
        """Send a message to the first of the contacts (module `contact`): this version writes to nobody else."""
        await self._control.command("contact_next")
        await self._control.command("message", text)

    def kill(self) -> None:
        """Let the phone vanish without a word."""
        self._program.send_signal(signal.SIGKILL)

    def recordings(self) -> list[Path]:
        """What was heard: one WAV file (decoded audio) for each call, oldest first."""
        return sorted(self._folder.glob("*dec*.wav"), key=lambda path: path.stat().st_mtime_ns)

    def log(self) -> str:
        """All that baresip printed."""
        return self._program.stdout + self._program.stderr

    async def _registered(self) -> None:
        event = await self.journal.wait_until(_is_registration, "registration", timeout=10)
        assert "200 OK" in event.get("text", "200 OK"), event

    async def _connect(self, port: int) -> "_Control":
        """Connect to the control port as soon as baresip listens there."""
        async with asyncio.timeout(8):
            while True:
                try:
                    sock = inside(self.namespace, lambda: socket.create_connection(("127.0.0.1", port), 1))
                except ConnectionRefusedError:
                    assert self._program.returncode is None, self.log()
                    await asyncio.sleep(0.02)
                    continue
                sock.setblocking(False)
                _, protocol = await asyncio.get_running_loop().create_connection(
                    lambda: _Control(self.journal), sock=sock
                )
                return protocol

    def _release(self) -> None:
        self._held.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _write_configuration(self) -> int:
        (self.sip_port,) = free_ports(self.namespace, step=10, host=self.address)
        (control_port,) = free_ports(self.namespace)
        (self._folder / "accounts").write_text("" if self.modules else f"{self._account()}\n")
        (self._folder / "contacts").write_text("".join(f"{contact}\n" for contact in self.contacts))
        (self._folder / "config").write_text("\n".join(self._settings(control_port)) + "\n")
        return control_port

    def _account(self) -> str:
        line = self.line
        return (
            f"<sip:{line.username}@{line.domain}>;auth_user={line.login or line.username};auth_pass={line.password}"
            f';outbound="sip:{line.host}:{line.port};transport={self.transport}";regint=60'
            f";answermode={'auto' if self.answers_by_itself else 'manual'}"
            f";audio_codecs={RATES[self.codec]};ptime={self.ptime_ms}"
            f"{';pubint=60' if self.publishes else ''}"
            f"{f';mediaenc={self.encryption}' if self.encryption else ''}"
            f"{';sipnat=outbound' if self.keeps_flow else ''}"
        )

    def _settings(self, control_port: int) -> Iterator[str]:
        rate, name = SAMPLE_RATES[self.codec], self.line.username
        yield from ("poll_method epoll", f"sip_listen {self.address}:{self.sip_port}")
        yield from (f"sip_trans_def {self.transport}", f"net_interface {self.address}")
        yield from ("call_local_timeout 120", "call_max_calls 4")
        yield from (f"audio_source aufile,{self.speech}", f"audio_player aubridge,ear-{name}")
        yield f"audio_alert aubridge,bell-{name}"
        yield from (f"ausrc_srate {rate}", f"auplay_srate {rate}", "ausrc_channels 1", "auplay_channels 1")
        yield from ("ausrc_format s16", "auplay_format s16", "auenc_format s16", "audec_format s16")
        yield from ("audio_buffer 20-160", "audio_txmode poll")
        yield from (f"rtp_ports {self.rtp_ports.start}-{self.rtp_ports.stop - 2}",)
        yield f"rtcp_mux {'yes' if self.muxes else 'no'}"
        yield from ("jitter_buffer_type fixed", "jitter_buffer_delay 2-10")
        yield from ("opus_stereo no", "opus_sprop_stereo no")
        yield from (f"snd_path {self._folder}", f"module_path {MODULES}")
        yield from (f"module {module}.so" for module in (*_LOADED, *_encrypting(self.encryption)))
        yield from ("module_tmp account.so", "module_app menu.so", "module_app ctrl_tcp.so")
        yield from (f"module_app {module}.so" for module in self.modules)
        yield f"ctrl_tcp_listen 127.0.0.1:{control_port}"
        yield from self.settings


def _encrypting(encryption: str) -> tuple[str, ...]:
    """Return the module that a word for the media's encryption needs."""
    return (encryption if encryption == "dtls_srtp" else "srtp",) if encryption else ()


def _is_registration(event: Event) -> bool:
    """The registration may be over before the control connection stands: the log tells it, too."""
    text = event.get("text", "")
    return event["type"] in ("REGISTER_OK", "REGISTER_FAIL") or ("200 OK" in text and "binding" in text)


class _Control(asyncio.Protocol):
    """The control connection: netstrings of JSON."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._buffer = b""
        self._tokens = 0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while b":" in self._buffer:
            digits, _, rest = self._buffer.partition(b":")
            size = int(digits)
            if len(rest) <= size:
                return
            message = json.loads(rest[:size])
            self._buffer = rest[size + 1 :]
            self._journal.append({"type": "ANSWER"} | message)

    def send(self, name: str, parameters: str = "") -> str:
        """Send a command and return its token."""
        self._tokens += 1
        token = str(self._tokens)
        message = {"command": name, "params": parameters, "token": token}
        text = json.dumps(message, ensure_ascii=False).encode()  # it reads no surrogates
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"%d:%s," % (len(text), text))
        return token

    async def command(self, name: str, parameters: str = "") -> Event:
        """Send a command and wait until baresip has taken it; return its answer."""
        answer = await self._journal.wait("ANSWER", token=self.send(name, parameters))
        assert answer.get("ok", True), answer
        return answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport is not None:
            self._transport.abort()
