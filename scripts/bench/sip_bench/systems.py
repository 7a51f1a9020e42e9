"""The two systems under load, each on one core, and sipp on the other."""

import contextlib
import csv
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = Path(__file__).parents[3]
HOST = "127.0.0.1"
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 10.0
LAST_WORDS = 3.0
CORES = sorted(os.sched_getaffinity(0))
SERVED, SERVING = CORES[:1], CORES[-1:]  # the core of the system under load, and sipp's


@dataclass(frozen=True)
class System:
    """A running system: its name, its SIP port, and the processes that do its work."""

    name: str
    port: int
    pids: tuple[int, ...]

    def cpu_seconds(self) -> float:
        """Return the processor time used so far."""
        total = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def rss_mb(self) -> float:
        """Return the resident memory in MB (shared pages are counted in each process)."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def busy_seconds(core: int) -> float:
    """Return how long a core has worked so far, for whomever."""
    line = next(
        line for line in Path("/proc/stat").read_text().splitlines() if line.startswith(f"cpu{core} ")
    )
    user, nice, system, _idle, _wait, *interrupts = (int(field) for field in line.split()[1:9])
    return (user + nice + system + sum(interrupts)) / TICKS


def pinned(cores: list[int], argv: list[str]) -> list[str]:
    """Return the command that runs on these cores only; for root, before everybody else who wants them."""
    first = ["nice", "-n", "-15"] if os.geteuid() == 0 else []
    return [*first, "taskset", "--cpu-list", ",".join(map(str, cores)), *argv]


def free_port() -> int:
    """Return a port, free for UDP and TCP just now, outside of the range that the kernel gives out."""
    while True:
        port = 10_000 + 2 * secrets.randbelow(10_000)
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind((HOST, port))
        except OSError:
            continue
        return port


@contextlib.contextmanager
def freecall(users: int) -> Iterator[System]:
    """Run our gateway."""
    argv = [sys.executable, "-m", "scripts.bench.sip_bench.gateway", str(users)]
    process = subprocess.Popen(
        pinned(SERVED, argv), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        yield System("freecall", port, (process.pid,))
    finally:
        process.communicate("", timeout=START_SECONDS)


@contextlib.contextmanager
def kamailio(folder: Path) -> Iterator[System]:
    """Run Kamailio."""
    port = free_port()
    run = folder / "kamailio"
    run.mkdir(exist_ok=True)
    argv = [
        "/usr/sbin/kamailio",
        "-DD",
        "-f",
        str(HERE / "kamailio.cfg"),
        "-A",
        f"PORT={port}",
        "-Y",
        str(run),
    ]
    argv += ["-P", str(run / "pid"), "-w", str(run), "-m", "512", "-M", "16"]
    with (folder / "kamailio.log").open("w") as log:
        process = subprocess.Popen(pinned(SERVED, argv), stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "kamailio.log").read_text()[-2000:])
        yield System("kamailio", port, (process.pid, *_children(process.pid)))
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def has_kamailio() -> bool:
    """Tell whether Kamailio is installed."""
    return Path("/usr/sbin/kamailio").exists()


def has_sipp() -> bool:
    """Tell whether sipp is installed."""
    return shutil.which("sipp") is not None


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _answers(port: int) -> bool:
    """Ask once whether anybody speaks SIP at the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.2)
        sock.connect((HOST, port))
        own = sock.getsockname()[1]
        head = f"OPTIONS sip:mesh SIP/2.0\r\nVia: SIP/2.0/UDP {HOST}:{own};branch=z9hG4bK{secrets.token_hex(8)}\r\n"
        rest = "From: <sip:a@mesh>;tag=1\r\nTo: <sip:mesh>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 9\r\n"
        try:
            sock.send(f"{head}{rest}Content-Length: 0\r\n\r\n".encode())
            return bool(sock.recv(4096))
        except OSError:
            return False


@dataclass(frozen=True)
class Outcome:
    """What sipp counted: calls that went as written, others, retransmissions, seconds, and the mean of rtd 1."""

    good: int
    failed: int
    repeated: int
    seconds: float


def users_file(folder: Path, users: int, callee_port: int, kind: str) -> Path:
    """Write the CSV that the scenarios read; `kind` is "c" for callers, "v" for callees."""
    path = folder / f"{kind}.csv"
    lines = ["SEQUENTIAL"]
    for number in range(users):
        name = f"{kind}{number}"
        login = f"[authentication username={name} password={name}-pw]"
        lines.append(f"{name};{login};{callee_port};v{number};")
    path.write_text("\n".join(lines) + "\n")
    return path


def sipp_command(scenario: str, folder: Path, port: int, *options: str, hold_ms: int = 100) -> list[str]:
    """Return the command for a scenario, at its own port, with its statistics in `folder`."""
    script = folder / f"{scenario}.xml"
    text = (HERE / "sipp" / f"{scenario}.xml").read_text()
    script.write_text(text.replace('"HOLD"', f'"{hold_ms}"'))
    statistics = folder / f"{scenario}.csv"
    statistics.unlink(missing_ok=True)
    # -aa answers OPTIONS: the node asks phones that stay in a call whether they are there
    argv = ["sipp", "-aa", "-sf", str(script), "-i", HOST, "-p", str(port), "-nostdin", "-trace_stat"]
    argv += [
        "-stf",
        str(statistics),
        "-fd",
        "1",
        "-trace_err",
        "-error_file",
        str(folder / f"{scenario}.err"),
    ]
    return pinned(SERVING, [*argv, *options])


def outcome(scenario: str, folder: Path) -> Outcome:
    """Read the last line of sipp's statistics."""
    with (folder / f"{scenario}.csv").open() as file:
        *_, last = csv.DictReader(file, delimiter=";")
    hours, minutes, seconds = last["ElapsedTime(C)"].split(":")[:3]
    return Outcome(
        int(last["SuccessfulCall(C)"]),
        int(last["FailedCall(C)"]),
        int(last["Retransmissions(C)"]),
        int(hours) * 3600 + int(minutes) * 60 + float(seconds),
    )


def drive(argv: list[str], folder: Path, timeout: float) -> int:
    """Run sipp to its end; return its exit status."""
    done = subprocess.run(
        argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=timeout, check=False
    )
    return done.returncode


@contextlib.contextmanager
def callees(folder: Path, port: int) -> Iterator[None]:
    """Run the phones that are called, until the calls that still stand are over or `LAST_WORDS` have passed."""
    process = subprocess.Popen(
        sipp_command("callee", folder, port), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGUSR1)  # sipp's way to end; it takes no SIGTERM
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(LAST_WORDS)
        process.kill()
        process.wait()
