"""A headless linphonec (Debian 12: linphone-cli 5.1), driven over a terminal.

It speaks from a file and records to another. What one must know: it needs its own HOME with
`.local/share/linphone`; `soundcard use files` replaces the missing sound card; it offers G.729 whatever is
configured; its file source is silent after a resume. Where there is no default route it takes the network for down
and closes its connections within five seconds, unless it is told not to look (`auto_net_state_mon`); but then it does
not unregister when it ends.
"""

import asyncio
import os
import pty
import shutil
import tempfile
import termios
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.kit.baresip import Line
from tests.kit.journal import Event, Journal
from tests.kit.netns import HeldPorts, command_in, free_ports

CONFIGURATION = """\
[sip]
{ports}
bind_address={address}
guess_hostname=0
contact="{name}" <sip:{name}@{address}>
media_encryption={encryption}
media_encryption_mandatory={is_mandatory}
verify_server_certs=0
verify_server_cn=0
use_ipv6=0
default_proxy=0
register_only_when_network_is_up=0
auto_net_state_mon={watches_network}
[rtp]
audio_rtp_port={rtp_port}
bind_address={address}
[net]
firewall_policy=none
[sound]
echocancellation=0
agc=0
noisegate=0
remote_ring=
[video]
enabled=0
capture=0
display=0
automatically_initiate=0
automatically_accept=0
[logging]
disable=1
[proxy_0]
reg_proxy=<sip:{host}:{port};transport={transport}>
reg_route=<sip:{host}:{port};transport={transport};lr>
reg_identity="{name}" <sip:{name}@{domain}>
realm={domain}
reg_expires=60
reg_sendregister=1
publish={publish}
publish_expires=60
privacy={privacy}
[auth_info_0]
username={name}
userid={login}
passwd={password}
realm={domain}
domain={domain}
[audio_codec_0]
mime=PCMU
rate=8000
channels=1
enabled=1
"""


@dataclass
class Linphone:
    """One phone (G.711); an async context manager. It answers by itself and plays `speech` (8 kHz, mono).

    `encryption` is linphone's word: none, srtp (then nothing else), zrtp or dtls. `privacy` adds up its numbers for
    the Privacy header: 1 user, 2 header, 4 session, 8 id, 16 critical.

    It subscribes to the presence of its `friends` (URIs) and says on the terminal when one comes or goes.
    """

    line: Line
    speech: Path
    namespace: str | None = None
    transport: str = "udp"
    friends: Sequence[str] = ()
    publishes: bool = False
    encryption: str = "none"
    privacy: int = 0x8000  # whatever is its default
    address: str = "127.0.0.1"
    journal: Journal = field(init=False)
    _held: HeldPorts = field(init=False)
    _folder: Path = field(init=False)
    _terminal: int = field(init=False)
    _process: asyncio.subprocess.Process = field(init=False)
    _partial: str = field(default="", init=False)

    async def __aenter__(self) -> Self:
        self.journal = Journal(f"linphone {self.line.username}", "type")
        self._held = HeldPorts()
        self._folder = Path(tempfile.mkdtemp(prefix=f"fc-linphone-{self.line.username}-"))
        for part in (".local/share/linphone", ".config/linphone"):
            (self._folder / part).mkdir(parents=True)
        (self._folder / "rc").write_text(self._configuration())
        self._terminal, child_end = pty.openpty()
        mode = termios.tcgetattr(child_end)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(child_end, termios.TCSANOW, mode)
        home = str(self._folder)
        self._process = await asyncio.create_subprocess_exec(
            *command_in(self.namespace, ["linphonec", "-S", "-a", "-c", str(self._folder / "rc")]),
            stdin=child_end,
            stdout=child_end,
            stderr=child_end,
            cwd=self._folder,
            env={**os.environ, "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home, "TERM": "dumb"},
        )
        os.close(child_end)
        asyncio.get_running_loop().add_reader(self._terminal, self._read)
        await self.says("linphonec>", "Ready")
        self.command("soundcard use files")
        self.command(f"play {self.speech}")
        self.command(f"record {self.recording}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.command("quit")
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)
        self._held.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def recording(self) -> Path:
        """What was heard."""
        return self._folder / "heard.wav"

    def command(self, text: str) -> None:
        """Type a command."""
        os.write(self._terminal, f"{text}\n".encode())

    async def says(self, *texts: str, timeout: float = 10) -> Event:
        """Wait until one of the texts stands on the terminal."""
        return await self.journal.wait_until(
            lambda event: any(text in event["text"] for text in texts), str(texts), timeout=timeout
        )

    def _configuration(self) -> str:
        (sip_port,) = free_ports(self.namespace, step=2)
        ports = {kind: sip_port if kind == self.transport else 0 for kind in ("udp", "tcp", "tls")}
        friends = "".join(
            f"[friend_{number}]\nurl=<{uri}>\npol=accept\nsubscribe=1\n"
            for number, uri in enumerate(self.friends)
        )
        return friends + CONFIGURATION.format(
            publish=int(self.publishes),
            privacy=self.privacy,
            encryption=self.encryption,
            watches_network=int(self.transport != "tls"),
            is_mandatory=int(self.encryption == "srtp"),
            address=self.address,
            ports=f"sip_port={ports['udp']}\nsip_tcp_port={ports['tcp']}\nsip_tls_port={ports['tls']}",
            rtp_port=self._held.ports.start,
            name=self.line.username,
            login=self.line.login or self.line.username,
            host=self.line.host,
            port=self.line.port,
            transport=self.transport,
            domain=self.line.domain,
            password=self.line.password,
        )

    def _read(self) -> None:
        try:
            data = os.read(self._terminal, 65_536)
        except OSError:  # EIO: the program has gone
            asyncio.get_running_loop().remove_reader(self._terminal)
            return
        self.journal.append({"type": "text", "text": data.decode(errors="replace")})
