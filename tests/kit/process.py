"""Child processes that tests own: read by line, stopped for certain, never left behind."""

import asyncio
import ctypes
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.kit.netns import command_in

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    """Ask the kernel to kill this child when the test run dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _ignore(_line: str) -> None:
    """Take a line that nobody wants."""


class _Pipes(asyncio.SubprocessProtocol):
    def __init__(self, on_line: Callable[[str], None]) -> None:
        loop = asyncio.get_running_loop()
        self.on_line = on_line
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._partial = b""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.stderr += data
            return
        self.stdout += data
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self.on_line(line.decode(errors="replace"))

    def process_exited(self) -> None:
        self.exited.set_result(None)

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


class Program:
    """A running child process."""

    def __init__(self, name: str, transport: asyncio.SubprocessTransport, pipes: _Pipes) -> None:
        self.name = name
        self._transport = transport
        self._pipes = pipes

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        namespace: str | None = None,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        on_line: Callable[[str], None] = _ignore,
    ) -> "Program":
        """Start `argv` (in a network namespace where one is named); `on_line` gets each line."""
        transport, pipes = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Pipes(on_line),
            *command_in(namespace, argv),
            stdin=asyncio.subprocess.DEVNULL,
            cwd=cwd,
            env=env,
            preexec_fn=_die_with_parent,
        )
        return cls(Path(argv[0]).name, transport, pipes)

    @property
    def pid(self) -> int:
        """The process id (`ip netns exec` replaces itself, so it is the program's own)."""
        return self._transport.get_pid()

    @property
    def returncode(self) -> int | None:
        """The exit status, minus the signal's number when it was killed; None while it runs."""
        return self._transport.get_returncode()

    @property
    def stdout(self) -> str:
        """All that it has printed."""
        return self._pipes.stdout.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """All that it has complained of."""
        return self._pipes.stderr.decode(errors="replace")

    def rss_bytes(self) -> int:
        """Return the resident memory now."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def cpu_seconds(self) -> float:
        """Return the processor time used so far, user and system."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def send_signal(self, number: signal.Signals) -> None:
        """Signal the process if it still runs."""
        if self.returncode is None:
            self._transport.send_signal(number)

    async def wait(self, timeout: float) -> int:
        """Wait for the end and return the exit status; raises TimeoutError."""
        async with asyncio.timeout(timeout):
            await asyncio.shield(self._pipes.exited)
        try:
            async with asyncio.timeout(2):  # what is still in the pipes
                await asyncio.shield(self._pipes.closed)
        except TimeoutError:
            pass  # a daemon inherited them
        finally:
            self._transport.close()
        return cast("int", self.returncode)

    async def stop(self, number: signal.Signals = signal.SIGINT, *, timeout: float = 10) -> int:
        """Signal the process, wait for its end, kill it when it does not end; return the exit status."""
        self.send_signal(number)
        try:
            return await self.wait(timeout)
        except TimeoutError:
            self.send_signal(signal.SIGKILL)
            return await self.wait(5)

    async def kill(self) -> int:
        """End the process at once (SIGKILL)."""
        return await self.stop(signal.SIGKILL)


@dataclass(frozen=True)
class Outcome:
    """How a command ended: `seconds` is the wall clock it took."""

    code: int
    stdout: str
    stderr: str
    seconds: float


async def run(
    argv: Sequence[str],
    *,
    namespace: str | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 30,
) -> Outcome:
    """Run a command to its end; it is killed after `timeout` seconds, which raises TimeoutError."""
    clock = asyncio.get_running_loop().time
    start = clock()
    program = await Program.start(argv, namespace=namespace, cwd=cwd, env=env)
    try:
        code = await program.wait(timeout)
    except TimeoutError:
        raise TimeoutError(
            f"{' '.join(argv)} still runs after {timeout} s: {program.stderr[-2000:]}"
        ) from None
    finally:
        await program.kill()
    return Outcome(code, program.stdout, program.stderr, clock() - start)
