"""The two systems under test, each on one core: our media, and rtpengine in user space with SRTP by the same cipher."""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .phones import LOOPBACK, media_port, sdp

ROOT = Path(__file__).parents[3]
TICKS = os.sysconf("SC_CLK_TCK")
CORES = sorted(os.sched_getaffinity(0))
SERVED, SERVING = CORES[:1], CORES[-1:]  # the core of the system under test, and the phones'
RTPENGINE = shutil.which("rtpengine")
CIPHER = "AEAD_AES_256_GCM"
_OTHER_CIPHERS = (
    "AEAD_AES_128_GCM",
    "AES_256_CM_HMAC_SHA1_80",
    "AES_256_CM_HMAC_SHA1_32",
    "AES_192_CM_HMAC_SHA1_80",
    "AES_192_CM_HMAC_SHA1_32",
    "AES_CM_128_HMAC_SHA1_80",
    "AES_CM_128_HMAC_SHA1_32",
    "F8_128_HMAC_SHA1_80",
    "F8_128_HMAC_SHA1_32",
    "NULL_HMAC_SHA1_80",
    "NULL_HMAC_SHA1_32",
)


def pages_mb(pid: int | str) -> float:
    """Return the resident memory of a process in MB."""
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE") / 1e6


def pinned(core: int, argv: list[str]) -> list[str]:
    """Return the command that runs on that core, before others' work if we may: others' work is not to be measured."""
    first = ["chrt", "--rr", "1"] if os.geteuid() == 0 else []
    return [*first, "taskset", "--cpu-list", str(core), *argv]


def be_phones() -> None:
    """Keep this process, which holds the phones, away from the core of the system under test."""
    os.sched_setaffinity(0, SERVING)
    if os.geteuid() == 0:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


@dataclass(frozen=True)
class System:
    """A running system: its processes, and where each phone shall send."""

    pids: tuple[int, ...]
    to: list[int]

    def cpu_seconds(self) -> float:
        """Return the processor time used so far."""
        total = 0
        for pid in self.pids:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS


@contextlib.contextmanager
def freecall(ports: list[int], workers: int = 1, threads: int = 1) -> Iterator[System]:
    """Our two nodes' media, on the first core; with more workers, each has a share of the calls and its own core."""
    share = -(-len(ports) // (2 * workers)) * 2
    with contextlib.ExitStack() as stack:
        processes = []
        for number in range(workers):
            argv = pinned(
                CORES[number % len(CORES)], [sys.executable, "-m", f"{__package__}.worker", str(threads)]
            )
            process = stack.enter_context(
                subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            assert process.stdin is not None
            stack.callback(process.stdin.close)
            process.stdin.write(json.dumps(ports[number * share : (number + 1) * share]) + "\n")
            process.stdin.flush()
            processes.append(process)
        to = [port for one in processes if one.stdout for port in json.loads(one.stdout.readline())]
        yield System(tuple(one.pid for one in processes), to)


@contextlib.contextmanager
def rtpengine(ports: list[int]) -> Iterator[System]:
    """rtpengine on the first core, each call through it twice: RTP to SRTP, and SRTP to RTP."""
    assert RTPENGINE is not None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        control.bind((LOOPBACK, 0))
        control.settimeout(2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((LOOPBACK, 0))
            listen = free.getsockname()
        argv = [RTPENGINE, "--foreground", "--log-stderr", "--log-level=1", "--table=-1", "--num-threads=1"]
        argv += ["--config-file=none", f"--interface={LOOPBACK}", f"--listen-ng={LOOPBACK}:{listen[1]}"]
        process = subprocess.Popen(pinned(CORES[0], argv), stderr=subprocess.DEVNULL, cwd="/")
        try:
            control.connect(listen)
            _wait_for(control)
            to: list[int] = []
            for number in range(0, len(ports), 2):
                to += _chain(control, f"bench-{number}", ports[number], ports[number + 1])
            yield System((process.pid,), to)
        finally:
            process.terminate()
            process.wait()


def _wait_for(control: socket.socket) -> None:
    for _ in range(50):
        try:
            if _ask(control, command="ping")["result"] == "pong":
                return
        except (ConnectionRefusedError, TimeoutError):
            time.sleep(0.1)  # noqa: TID251 - a process of its own
    raise RuntimeError("rtpengine does not answer")


def _chain(control: socket.socket, call: str, caller: int, callee: int) -> list[int]:
    """Put one call through rtpengine twice; return the ports that the two phones shall send to."""
    sealed = {"transport-protocol": "RTP/SAVP", "SDES": [f"no-{name}" for name in _OTHER_CIPHERS]}
    common = {"DTLS": "off", "ICE": "remove", "rtcp-mux": ["demux"]}
    first: dict[str, Any] = {"call-id": f"{call}-1", "from-tag": "a"}
    second: dict[str, Any] = {"call-id": f"{call}-2", "from-tag": "b"}
    between = _ask(control, command="offer", sdp=sdp(caller), **first, **sealed, **common)["sdp"]
    plain = {"transport-protocol": "RTP/AVP"}
    to_callee = _ask(control, command="offer", sdp=between, **second, **plain, **common)["sdp"]
    first["to-tag"], second["to-tag"] = "c", "d"
    back = _ask(control, command="answer", sdp=sdp(callee), **second, **common)["sdp"]
    to_caller = _ask(control, command="answer", sdp=back, **first, **common)["sdp"]
    if CIPHER.encode() not in between or CIPHER.encode() not in back:
        raise RuntimeError(f"rtpengine did not choose {CIPHER}")
    return [media_port(to_caller), media_port(to_callee)]


def _ask(control: socket.socket, **request: Any) -> dict[str, Any]:
    cookie = secrets.token_hex(4).encode()
    control.send(cookie + b" " + _bencode(request))
    answer = control.recv(65_536)
    while not answer.startswith(cookie):
        answer = control.recv(65_536)
    read, _ = _bdecode(answer, len(cookie) + 1)
    if read.get("result") == b"error":
        raise RuntimeError(f"rtpengine: {read}")
    return {name: value.decode() if name == "result" else value for name, value in read.items()}


def _bencode(value: Any) -> bytes:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, dict):
        return b"d" + b"".join(_bencode(one) for pair in sorted(value.items()) for one in pair) + b"e"
    return b"l" + b"".join(map(_bencode, value)) + b"e"


def _bdecode(data: bytes, at: int) -> tuple[Any, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"d", b"l"):
        at, items = at + 1, []
        while data[at : at + 1] != b"e":
            item, at = _bdecode(data, at)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        return {key.decode(): one for key, one in zip(items[::2], items[1::2], strict=True)}, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end], end
