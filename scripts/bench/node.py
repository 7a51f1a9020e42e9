"""What a node costs and how quick it is: start, memory, processor, dial to ringing, answer to keyed media.

Two nodes on loopback, calls by fc-call's way to an echo. Prints medians; run it on a quiet machine.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
from demo import DemoNode, running  # noqa: E402 - the demo's node is the one to measure

CALLS = 15
WATCH_SECONDS = 8
TICKS = os.sysconf("SC_CLK_TCK")


def cost(pid: int) -> tuple[float, float]:
    """Return (resident MB, CPU seconds so far) of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return resident, (int(fields[11]) + int(fields[12])) / TICKS


def share(pid: int, seconds: float) -> tuple[float, float]:
    """Return (resident MB, percent of a core) over some seconds."""
    before, began = cost(pid)[1], time.monotonic()
    subprocess.run(["sleep", str(seconds)], check=True)
    resident, after = cost(pid)
    return resident, 100 * (after - before) / (time.monotonic() - began)


def place(node: DemoNode, uri: str, seconds: float) -> subprocess.Popen[str]:
    """Start fc-call."""
    command = [sys.executable, "-m", "freecall.cli.call", "--data", str(node.data), uri, "--json"]
    return subprocess.Popen(
        [*command, "--seconds", str(seconds)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def outcome(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what fc-call printed."""
    out, _ = process.communicate(timeout=60)
    result: dict[str, Any] = json.loads(out)
    assert result["ok"], result
    return result


def lookup_ms(data: Path, uri: str, *options: str) -> float:
    """Return how long an fc-lookup process takes."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "freecall.cli.lookup", "--data", str(data), uri, "--json", *options]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return 1000 * (time.perf_counter() - started)


def measure(folder: Path) -> dict[str, float]:
    """Run everything; return name to figure."""
    figures: dict[str, float] = {}
    started = time.perf_counter()
    with running(DemoNode(folder, "bob", "--answer-with", "echo")) as bob:
        ready = bob.wait_for("ready")
        figures["first start to ready, s"] = time.perf_counter() - started
        bob.wait_for("published")
        with running(DemoNode(folder, "alice", "--bootstrap", ready["mesh"][0])) as alice:
            alice.wait_for("published")
            subprocess.run(["sleep", "3"], check=True)
            idle = share(alice.pid, WATCH_SECONDS)
            figures["idle node, MB"], figures["idle node, % of a core"] = idle
            results = [outcome(place(alice, "bob@mesh", 0.2)) for _ in range(CALLS)]
            figures["dial to ringing, ms"] = statistics.median(r["ringing_ms"] for r in results)
            figures["dial to answered, ms"] = statistics.median(r["setup_ms"] for r in results)
            figures["dial to signed, ms"] = statistics.median(r["secured_ms"] for r in results)
            figures["answered to signed, first call (new person), ms"] = (
                results[0]["secured_ms"] - results[0]["setup_ms"]
            )
            figures["answered to signed, later calls, ms"] = statistics.median(
                r["secured_ms"] - r["setup_ms"] for r in results[1:]
            )
            long = place(alice, "bob@mesh", WATCH_SECONDS + 2)
            alice.wait_for("call_secured")
            figures["node in a call, MB"], figures["node in a call, % of a core"] = share(
                alice.pid, WATCH_SECONDS
            )
            outcome(long)
            asked = [lookup_ms(alice.data, "bob@mesh") for _ in range(5)]
            figures["fc-lookup with a node, whole process, ms"] = statistics.median(asked)
            guest = [
                lookup_ms(folder / "nobody", "bob@mesh", "--bootstrap", ready["mesh"][0]) for _ in range(5)
            ]
            figures["fc-lookup without a node, whole process, ms"] = statistics.median(guest)
    started = time.perf_counter()
    with running(DemoNode(folder, "bob")) as bob:
        bob.wait_for("ready")
        figures["later start to ready, s"] = time.perf_counter() - started
    return figures


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="freecall-bench-") as temporary:
        measured = measure(Path(temporary))
    if "--json" in sys.argv:
        print(json.dumps({name: round(value, 2) for name, value in measured.items()}))
    else:
        for name, value in measured.items():
            print(f"{value:10.2f}  {name}")
