"""The sections of the benchmark: runs a process for each system and makes figures of what it prints."""

import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean
from typing import Any

from .report import OURS, PEERS, Figure, percentile

Result = dict[str, Any]
SYSTEMS = (OURS, *PEERS)
EQUAL_COPIES = 8
MAX_SECONDS = 400

WORD = "until the system itself says so: ours and on the wire a majority, OpenDHT and kademlia all copies"
WIRE = "until more than half of the copies are confirmed to the publisher, as seen on the wire"
ONLY_FIRST = "ours: the known contact's claim; OpenDHT: its first value; kademlia has one answer only"
COMPLETE = "ours: all claims, by three holders; OpenDHT: the end of its search"
MS = {
    "first": (65, 150, 80, 250),
    "complete": (None, None, None, None),
    "published": (250, None, 500, None),
    "majority": (250, None, 500, None),
}


def measure(system: str, story: str, plan: dict[str, Any]) -> Result | None:
    """Run a worker; None when the system is not here or does not come to an end."""
    if system == "opendht" and importlib.util.find_spec("opendht") is None:
        return None
    worker = [sys.executable, "-m", "scripts.bench.overlay_bench.worker", story, system, json.dumps(plan)]
    began = time.monotonic()
    try:
        done = subprocess.run(
            ["unshare", "--net", *worker], check=True, stdout=subprocess.PIPE, text=True, timeout=MAX_SECONDS
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        print(f"  {story}: no figures of {system}: {error}", file=sys.stderr)
        return None
    took = time.monotonic() - began
    print(f"  {story}: {system} {json.dumps(plan)} {took:.0f} s", file=sys.stderr, flush=True)
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


class Bench:
    """Runs sections; collects figures, and k and copies of each system by section."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self.figures: list[Figure] = []
        self.copies: dict[str, dict[str, dict[str, int]]] = {}

    def sections(self) -> dict[str, Callable[[], None]]:
        """Return what can be run, by name."""
        return {
            "resolve": lambda: self._swarm("resolve", None),
            "copies": lambda: self._swarm("copies", EQUAL_COPIES),
            "cpu": self._cpu,
            "idle": self._idle,
            "simulated": self._simulated,
        }

    # -- resolve and publish ---------------------------------------------------------------------------------------

    def _swarm(self, section: str, k: int | None) -> None:
        few = {"names": 30, "resolves": 60, "publishes": 8, "settle": 5.0}
        plan = few if self.quick else {}
        seeds = (1,) if self.quick or k else (1, 2)
        results: dict[str, list[Result]] = {}
        for system in SYSTEMS:
            results[system] = []
            for seed in seeds:
                own = {"seed": seed, "k": None if system == "opendht" else k}
                if self.quick and system == "kademlia":
                    own["publishes_to_the_dead"] = False
                result = measure(system, "swarm", {**plan, **own})
                if result is not None:
                    results[system].append(result)
                    self._note_copies(section, system, result)
        for phase, late in (("healthy", 0), ("dead", 2)):
            self._swarm_figures(section, phase, late, results)

    def _swarm_figures(self, section: str, phase: str, late: int, results: dict[str, list[Result]]) -> None:
        state = "healthy" if phase == "healthy" else "40 % dead"
        lines = {
            ("first", f"resolve, {state}", ONLY_FIRST),
            ("complete", f"resolve to the end, {state}", COMPLETE),
            ("majority", f"publish to a majority, {state}", WIRE),
            ("published", f"publish, {state}", WORD),
        }
        for kind, name, note in sorted(lines):
            pooled = {s: [x for r in runs for x in r[phase][kind]] for s, runs in results.items()}
            goals = MS[kind]
            for share, target in zip((50, 99), goals[late : late + 2], strict=True):
                values = {s: _times(1000, percentile(times, share)) for s, times in pooled.items()}
                counts = {s: len(times) for s, times in pooled.items()}
                self.figures.append(
                    Figure(section, f"{name}, p{share}", "ms", values, target, samples=counts, note=note)
                )
        copies = {s: _mean([n for run in runs for n in run[phase]["copies"]]) for s, runs in results.items()}
        self.figures.append(Figure(section, f"copies confirmed, {state}", "mean", copies))
        shares = {s: _share(runs, phase, "found", "asked") for s, runs in results.items()}
        self.figures.append(Figure(section, f"found, {state}", "%", shares, 100, more_is_better=True))

    def _note_copies(self, section: str, system: str, result: Result) -> None:
        numbers = {"k": result["k"], "copies": result["copies"]}
        self.copies.setdefault(section, {})[system] = numbers

    # -- the rest --------------------------------------------------------------------------------------------------

    def _cpu(self) -> None:
        plan = {"times": 500 if self.quick else 2000}
        ours, plain = measure(OURS, "cpu", plan) or {}, measure("kademlia", "cpu", plan) or {}
        values = {OURS: ours.get("find_us"), "kademlia": plain.get("find_us")}
        self.figures.append(Figure("cpu", "one find request, both ends", "µs", values, 90))
        for name, key in (
            ("proof of a contact's id (once in 10 minutes), both ends", "proof_us"),
            ("check of a new record", "record_us"),
        ):
            self.figures.append(Figure("cpu", name, "µs", {OURS: ours.get(key)}))

    def _idle(self) -> None:
        plan = {"nodes": 100, "settle": 5.0, "window": 10.0} if self.quick else {}
        with ThreadPoolExecutor() as at_once:  # bytes are counted, not time: they may run side by side
            running = {system: at_once.submit(measure, system, "idle", plan) for system in SYSTEMS}
        results = {system: future.result() for system, future in running.items()}
        for system, result in results.items():
            if result is not None:
                self._note_copies("idle", system, result)
        for name, key, unit, target in (
            ("with IP and UDP headers, sent and received", "bytes_per_second", "B/s", 150),
            ("without headers", "payload_per_second", "B/s", None),
            ("the busiest node", "busiest_bytes_per_second", "B/s", None),
            ("largest datagram seen", "largest_datagram", "B", 1200),
        ):
            values = {s: r[key] if r else None for s, r in results.items()}
            self.figures.append(Figure("idle", name, unit, values, target))
        if not self.quick:
            self._storm()
        answers = {s: r["amplification"] if r else {} for s, r in results.items()}
        worst = {s: max(ratios.values(), default=None) for s, ratios in answers.items()}
        self.figures.append(Figure("amplification", "the worst question", "times", worst, 3))
        for kind in sorted({kind for ratios in answers.values() for kind in ratios}):
            values = {s: ratios.get(kind) for s, ratios in answers.items()}
            self.figures.append(Figure("amplification", kind, "times", values))

    def _storm(self) -> None:
        """Small buckets, where plain kademlia hands its values over again and again to whom it cannot take in."""
        results = {s: measure(s, "idle", {"nodes": 200, "k": 4, "window": 20.0}) for s in (OURS, "kademlia")}
        values = {s: r["bytes_per_second"] if r else None for s, r in results.items()}
        self.figures.append(Figure("idle", "200 nodes with k = 4", "B/s", values, 150))

    def _simulated(self) -> None:
        note = "not measured in this run"
        for name, unit, target, plain in (
            ("10,000 nodes, 40 % dead: resolve, p50", "ms", 150, 10_060),
            ("10,000 nodes, 40 % dead: resolve, p95", "ms", 350, 15_133),
            ("10,000 nodes, 40 % dead: resolve, p99", "ms", 600, 20_123),
            ("100,000 nodes, 20 % dead: resolve, p99", "ms", 500, None),
        ):
            self.figures.append(Figure("simulated", name, unit, {OURS: None}, target, note=note))
            _ = plain


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _mean(numbers: list[int]) -> float | None:
    return fmean(numbers) if numbers else None


def _share(runs: list[Result], phase: str, part: str, whole: str) -> float | None:
    asked = sum(run[phase][whole] for run in runs)
    return 100 * sum(run[phase][part] for run in runs) / asked if asked else None
