"""Free Call nodes and commands as real processes, driven by what they print."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from tests.kit.journal import Event, Journal
from tests.kit.process import Outcome, Program, run

ROOT = Path(__file__).parents[2]
MESH_PORT, SIP_PORT = 7350, 5060


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}


def command(name: str, *arguments: str) -> list[str]:
    """Return the command line of `fc-<name>` for this source tree."""
    return [sys.executable, "-m", f"freecall.cli.{name}", *arguments]


class DataDirectory:
    """A short-named directory for a node's state that may outlive the node; a context manager removes it."""

    def __init__(self, label: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"fc-{label}-"))

    def __enter__(self) -> Path:
        return self.path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.path, ignore_errors=True)  # a GnuPG agent ends when its directory goes


@dataclass
class Node:
    """One `fc-node --json`; an async context manager.

    Entering waits for `ready`. Leaving stops it by SIGINT and asserts a clean end, unless it was killed.
    `listen` and `sip` are given to the node unless they are empty (then its own defaults apply).
    """

    name: str
    data: Path
    namespace: str | None = None
    listen: str = "127.0.0.1:0"
    sip: str = "127.0.0.1:0"
    bootstrap: Sequence[str] = ()
    lan: bool = False
    arguments: Sequence[str] = ()
    ready: Event = field(default_factory=dict, init=False)
    journal: Journal = field(init=False)
    _program: Program | None = field(default=None, init=False)
    _killed: bool = field(default=False, init=False)

    async def __aenter__(self) -> Self:
        self.journal = Journal(f"node {self.name}", "event")
        self._killed = False
        self._program = await Program.start(
            command("node", *self._arguments()),
            namespace=self.namespace,
            cwd=ROOT,
            env=_environment(),
            on_line=self._line,
        )
        try:
            self.ready = await self._first_event()
        except BaseException:
            await self._program.kill()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        code = await self.program.stop(signal.SIGINT, timeout=10)
        await self._end_agent()
        if error is not None:  # the first failure is the one to report
            print(f"--- node {self.name}, stderr:\n{self.program.stderr[-6000:]}", file=sys.stderr)
            return
        self.assert_no_complaint()
        if not self._killed:
            assert code == 0, f"node {self.name} ended with {code}: {self.program.stderr[-4000:]}"

    @property
    def program(self) -> Program:
        """The process; only between entering and leaving."""
        assert self._program is not None, "the node was not started"
        return self._program

    @property
    def uri(self) -> str:
        """The node's short mesh URI."""
        return str(self.ready["uri"])

    @property
    def mesh(self) -> tuple[str, int]:
        """Address and port of the mesh side (UDP for the DHT, TCP for SIP over TLS)."""
        return _endpoint(self.ready["mesh"][0])

    @property
    def mesh_text(self) -> str:
        """The same, as an argument of `--bootstrap`."""
        return str(self.ready["mesh"][0])

    @property
    def phones(self) -> tuple[str, int]:
        """Address and port for phones."""
        return _endpoint(self.ready["sip"]["address"])

    @property
    def account(self) -> Mapping[str, str]:
        """The SIP account: `username`, `secret`, `domain`."""
        return dict(self.ready["sip"])

    async def event(self, *names: str, timeout: float = 10, **fields: object) -> Event:
        """Wait for the next event with one of the names and all the fields."""
        return await self.journal.wait(*names, timeout=timeout, **fields)

    async def kill(self) -> None:
        """End the node as a power cut would (SIGKILL)."""
        self._killed = True
        await self.program.kill()

    def assert_no_complaint(self) -> None:
        """Assert that no error has reached the node's stderr."""
        for sign in ("Traceback (most recent call last)", "was never awaited", "was never retrieved"):
            assert sign not in self.program.stderr, f"node {self.name}:\n{self.program.stderr[-6000:]}"

    async def lookup(self, uri: str, *, timeout: float = 20) -> "Answer":
        """Ask this node by `fc-lookup`."""
        return await fc_lookup(uri, data=self.data, namespace=self.namespace, timeout=timeout)

    async def knows(self, uri: str) -> None:
        """Keep the key of somebody by `fc-contacts add`, so that their calls ring however many they are."""
        added = await run(command("contacts", "--data", str(self.data), "add", uri), cwd=ROOT)
        assert added.code == 0, added

    async def call(self, uri: str, *arguments: str, timeout: float = 40) -> "Answer":
        """Place a call from this node by `fc-call`."""
        return await fc_call(uri, *arguments, data=self.data, namespace=self.namespace, timeout=timeout)

    def _arguments(self) -> list[str]:
        secret = self.data / "test-sip-secret"
        if not secret.exists():
            self.data.mkdir(parents=True, exist_ok=True)
            secret.write_text(secrets.token_hex(12) + "\n")
            secret.chmod(0o600)
        arguments = [
            "--json",
            "--data",
            str(self.data),
            "--name",
            self.name,
            "--sip-secret-file",
            str(secret),
        ]
        for option, value in (("--listen", self.listen), ("--sip", self.sip)):
            arguments += [option, value] if value else []
        for endpoint in self.bootstrap:
            arguments += ["--bootstrap", endpoint]
        return [*arguments, *([] if self.lan else ["--no-lan"]), *self.arguments]

    def _line(self, line: str) -> None:
        self.journal.append(json.loads(line))  # a line that is not JSON breaks the contract

    async def _first_event(self) -> Event:
        """Wait for `ready`, or tell at once why it will not come."""
        waiting = 0.0
        while True:
            try:
                return await self.journal.wait("ready", timeout=0.5)
            except AssertionError:
                waiting += 0.5
                if self.program.returncode is not None or waiting >= 20:
                    raise AssertionError(
                        f"node {self.name} does not start: {self.program.stderr[-4000:]}"
                    ) from None

    async def _end_agent(self) -> None:
        for home in {path.parent for path in self.data.rglob("S.gpg-agent")}:
            with suppress(OSError, TimeoutError):
                await run(["gpgconf", "--homedir", str(home), "--kill", "all"], timeout=5)


def _endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


@dataclass(frozen=True)
class Answer:
    """What a command answered: exit status, the JSON object (empty when it printed none), and the rest."""

    code: int
    json: Mapping[str, Any]
    outcome: Outcome


async def _answer(argv: Sequence[str], namespace: str | None, timeout: float) -> Answer:
    outcome = await run(argv, namespace=namespace, cwd=ROOT, env=_environment(), timeout=timeout)
    assert "Traceback" not in outcome.stderr, outcome.stderr
    text = outcome.stdout.strip()
    return Answer(outcome.code, json.loads(text) if text.startswith("{") else {}, outcome)


async def fc_lookup(
    uri: str,
    *arguments: str,
    data: Path,
    namespace: str | None = None,
    bootstrap: Sequence[str] = (),
    timeout: float = 20,
) -> Answer:
    """Run `fc-lookup --json`."""
    where = [part for endpoint in bootstrap for part in ("--bootstrap", endpoint)]
    return await _answer(
        command("lookup", uri, "--json", "--data", str(data), *where, *arguments), namespace, timeout
    )


async def fc_call(
    uri: str, *arguments: str, data: Path, namespace: str | None = None, timeout: float = 40
) -> Answer:
    """Run `fc-call --json`."""
    return await _answer(command("call", uri, "--json", "--data", str(data), *arguments), namespace, timeout)


async def resolves(asking: Node, wanted: Node, *, timeout: float = 5) -> float:
    """Ask a node until it finds where another one is now; return the seconds it took, raise TimeoutError."""
    clock = asyncio.get_running_loop().time
    start = clock()
    async with asyncio.timeout(timeout):
        while True:
            answer = await asking.lookup(wanted.uri)
            for claim in answer.json.get("claims", ()):
                if wanted.mesh_text in claim["endpoints"]:
                    return clock() - start


class Network(Protocol):
    """Hosts that reach each other, each in a namespace of its own: `netns.Lan`, `wire.Wire`."""

    def namespace(self, host: str) -> str:
        """Return the namespace of a host."""
        ...

    def address(self, host: str) -> str:
        """Return its address."""
        ...


@asynccontextmanager
async def two_nodes(network: Network) -> AsyncIterator[tuple[Node, Node]]:
    """Run Alice's node on host `a` and Bob's, which bootstraps from hers, on host `b`; they need not have met yet."""
    async with AsyncExitStack() as stack:
        nodes: list[Node] = []
        for name, host in (("alice", "a"), ("bob", "b")):
            node = Node(
                name,
                stack.enter_context(DataDirectory(name)),
                namespace=network.namespace(host),
                listen=f"{network.address(host)}:{MESH_PORT}",
                sip=f"127.0.0.1:{SIP_PORT}",
                bootstrap=[first.mesh_text for first in nodes],
            )
            nodes.append(await stack.enter_async_context(node))
        alice, bob = nodes
        yield alice, bob


async def fc_trust(*arguments: str, data: Path, timeout: float = 20) -> Answer:
    """Run `fc-trust --json`."""
    return await _answer(command("trust", "--data", str(data), "--json", *arguments), None, timeout)
