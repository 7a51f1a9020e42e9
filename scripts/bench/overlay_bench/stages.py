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

from scripts.bench.report import OURS, Figure, Layout, percentile

Result = dict[str, Any]
PEERS = {"opendht": "OpenDHT", "kademlia": "plain kademlia"}
SYSTEMS = (OURS, *PEERS)
SECTIONS = {
    "resolve": "200 nodes, real sockets, emulated RTT 80 ms (mean); each system with its own k and copies",
    "copies": "the same, with 8 copies for all",
    "cpu": "processor time",
    "idle": "nodes that do nothing",
    "amplification": "bytes that come for each byte of a stranger's question, UDP payloads, within a second",
    "simulated": "simulated networks",
}
EQUAL_COPIES = 8
MAX_SECONDS = 400

WORD = (
    "until the system itself says so: ours at a majority, OpenDHT and kademlia when all copies are answered"
)
WIRE = "until more than half of the nearest copies are confirmed to the publisher, as seen on the wire"
ONLY_FIRST = "ours: the known contact's claim; OpenDHT: its first value; kademlia has one answer only"
COMPLETE = "ours: all claims, by three holders; OpenDHT: the end of its search"
NO_PEER = (
    "no peer in this run; plain kademlia in a simulation of its own, earlier: 10,060 / 15,133 / 20,123 ms"
)
NOTHING = (None, None, None, None)
MS = {
    "first": (65, 150, 80, 250),
    "complete": NOTHING,
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
        self._opendht: list[Result] = []

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
        plan = {"names": 30, "resolves": 60, "publishes": 8, "settle": 5.0} if self.quick else {}
        results: dict[str, list[Result]] = {}
        for system in SYSTEMS:
            if system == "opendht" and k == EQUAL_COPIES and self._opendht:
                results[system] = self._opendht  # it has no other k: measured already
                continue
            own: dict[str, Any] = {"k": None if system == "opendht" else k}
            if self.quick and system == "kademlia":
                own["publishes_to_the_dead"] = False
            once = self.quick or k is not None or system == "kademlia"
            runs = [
                measure(system, "swarm", {**plan, **own, "seed": seed}) for seed in range(1, 2 if once else 3)
            ]
            results[system] = [run for run in runs if run is not None]
        self._opendht = results["opendht"]
        for system, done in results.items():
            for result in done:
                self._note_copies(section, system, result)
        for phase, late in (("healthy", 0), ("dead", 2)):
            self._swarm_figures(section, phase, late, results)

    def _swarm_figures(self, section: str, phase: str, late: int, results: dict[str, list[Result]]) -> None:
        state = "healthy" if phase == "healthy" else "40 % dead"
        lines = (
            ("first", f"resolve, {state}", ONLY_FIRST),
            ("complete", f"resolve to the end, {state}", COMPLETE),
            ("published", f"publish, {state}", WORD),
            ("majority", f"publish to a majority, {state}", WIRE),
        )
        for kind, name, note in lines:
            pooled = {s: [x for r in runs for x in r[phase][kind]] for s, runs in results.items()}
            goals = NOTHING if section == "copies" else MS[kind]
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

    def layout(self) -> Layout:
        """Return what the table says beside the figures."""
        intros = {
            section: "; ".join(
                f"{system} k = {n['k']}, {n['copies']} copies" for system, n in systems.items()
            )
            for section, systems in self.copies.items()
        }
        return Layout(SECTIONS, PEERS, intros)

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
        plan: dict[str, Any] = {"nodes": 60, "settle": 45.0, "window": 15.0} if self.quick else {}
        small = {"nodes": 200, "k": 4, "settle": 20.0, "window": 20.0}
        hour = {"nodes": 40 if self.quick else 100, "seconds": 900}
        lanes: list[list[tuple[str, str, dict[str, Any]]]] = [
            [(OURS, "idle", plan)],
            [("opendht", "idle", plan), (OURS, "hour", hour)],
            [("kademlia", "idle", plan)],
        ]
        if not self.quick:
            lanes[0].append((OURS, "idle", small))
            lanes[2].append(("kademlia", "idle", small))
        with ThreadPoolExecutor() as at_once:  # bytes are counted, not time: some at once do not hurt
            done = at_once.map(
                lambda lane: [measure(system, story, own) for system, story, own in lane], lanes
            )
        (ours, *ours_small), (opendht, hour_result), (kademlia, *kademlia_small) = done
        results = {OURS: ours, "opendht": opendht, "kademlia": kademlia}
        for system, result in results.items():
            if result is not None:
                self._note_copies("idle", system, result)
        for name, key, unit, target in (
            ("sent and received, with IP and UDP headers", "bytes_per_second", "B/s", 150),
            ("sent and received, without headers", "payload_per_second", "B/s", None),
            ("the busiest node, with headers", "busiest_bytes_per_second", "B/s", None),
            ("largest datagram seen", "largest_datagram", "B", 1200),
        ):
            values = {s: r[key] if r else None for s, r in results.items()}
            self.figures.append(Figure("idle", name, unit, values, target))
        name = "15 virtual minutes with claim, node record and key published, with headers"
        self.figures.append(Figure("idle", name, "B/s", {OURS: (hour_result or {}).get("mean")}, 150))
        if ours_small and kademlia_small:
            small_ones = {OURS: ours_small[0], "kademlia": kademlia_small[0]}
            values = {s: r["bytes_per_second"] if r else None for s, r in small_ones.items()}
            self.figures.append(Figure("idle", "200 nodes with k = 4, with headers", "B/s", values, 150))
        self._amplification({s: r["amplification"] if r else {} for s, r in results.items()})

    def _amplification(self, answers: dict[str, dict[str, float]]) -> None:
        worst = {s: max(ratios.values(), default=None) for s, ratios in answers.items()}
        self.figures.append(Figure("amplification", "the worst question", "times", worst, 3))
        for kind in sorted({kind for ratios in answers.values() for kind in ratios}):
            values = {s: ratios.get(kind) for s, ratios in answers.items()}
            self.figures.append(Figure("amplification", kind, "times", values))

    def _simulated(self) -> None:
        """Ask the laboratory; it simulates our own nodes only."""
        thousands = 2 if self.quick else 10
        result = _laboratory("40-percent-dead", thousands * 1000)
        name = f"resolve, {thousands},000 nodes, 40 % dead"
        for figure, unit, target in (
            ("p50_ms", "ms", 150),
            ("p95_ms", "ms", 350),
            ("p99_ms", "ms", 600),
            ("requests", "requests", 10),
        ):
            label = f"{name}, {figure.removesuffix('_ms')}"
            self.figures.append(
                Figure("simulated", label, unit, {OURS: result.get(figure)}, target, note=NO_PEER)
            )
        if self.quick:
            return
        result = _laboratory("large", 100_000)
        name = "resolve, 100,000 nodes, 20 % dead"
        self.figures.append(Figure("simulated", f"{name}, p99", "ms", {OURS: result.get("p99_ms")}, 500))
        found = None if "success" not in result else 100 * result["success"]
        self.figures.append(
            Figure("simulated", f"{name}, found", "%", {OURS: found}, 99.9, more_is_better=True)
        )


def _laboratory(scenario: str, nodes: int) -> dict[str, float]:
    """Return the figures of a scenario's first lookups; nothing when the laboratory does not answer."""
    command = [sys.executable, "-m", "freecall.cli.lab", "run", scenario, "--nodes", str(nodes), "--json"]
    began = time.monotonic()
    # Exit status 1 means that an expectation was missed: the figures are there all the same.
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, timeout=MAX_SECONDS)
    print(
        f"  fc-lab: {scenario}, {nodes} nodes {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True
    )
    if done.returncode not in (0, 1) or not done.stdout.startswith("{"):
        return {}
    steps = json.loads(done.stdout)["runs"][0]["steps"]
    figures: dict[str, float] = next(s["figures"] for s in steps if s["step"].startswith("resolve"))
    return figures


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _mean(numbers: list[int]) -> float | None:
    return fmean(numbers) if numbers else None


def _share(runs: list[Result], phase: str, part: str, whole: str) -> float | None:
    asked = sum(run[phase][whole] for run in runs)
    return 100 * sum(run[phase][part] for run in runs) / asked if asked else None
