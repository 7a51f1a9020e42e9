"""One parser measured in plain Python, without instruments: the corpus, then as many spoilt inputs as wanted.

    python -m scripts.fuzzing.plain TARGET PARSER CORPUS FOUND RUNS SEED

A process of its own for each, so that what one leaves behind is not counted with another. Prints JSON.
"""

import asyncio
import heapq
import json
import os
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Never

from overlay.lab.virtual_time import VirtualLoop

from .findings import Findings
from .mutator import Mutator
from .parser import Parser, Subject
from .targets import parser

BATCH = 100
SUSPECTS = 20
TRIES = 5
HANG_SECONDS = 60


@dataclass
class Measured:
    """What one parser did. ``worst_us``: the slowest input, timed again; the best of five, for machines are busy."""

    inputs: int
    exceptions: dict[str, int]
    growth_bytes: int
    mean_us: float
    worst_us: float


class Meter:
    """Feeds a subject and watches the clock. The mean is processor time, with what the inputs set going."""

    def __init__(self, subject: Subject, findings: Findings) -> None:
        self.inputs = 0
        self.cpu_ns = 0
        self._subject = subject
        self._findings = findings
        self._slowest: list[tuple[int, bytes]] = []

    async def feed(self, batch: list[bytes]) -> None:
        """Feed some inputs, then let time pass."""
        signal.alarm(HANG_SECONDS)
        began = time.process_time_ns()
        for data in batch:
            started = time.perf_counter_ns()
            self._findings.feed(self._subject, data)
            ended = time.perf_counter_ns()
            if len(self._slowest) < SUSPECTS or ended - started > self._slowest[0][0]:
                self._suspect(ended - started, data)
        signal.alarm(0)
        await self._subject.rest()
        self.cpu_ns += time.process_time_ns() - began
        self.inputs += len(batch)

    def _suspect(self, nanoseconds: int, data: bytes) -> None:
        heapq.heappush(self._slowest, (nanoseconds, data))
        if len(self._slowest) > SUSPECTS:
            heapq.heappop(self._slowest)

    def worst(self) -> tuple[float, bytes]:
        """Time the slowest inputs again; return the microseconds of the slowest of them, and what it is."""
        timed = [(min(self._once(data) for _ in range(TRIES)), data) for _, data in self._slowest]
        nanoseconds, data = max(timed, default=(0, b""))
        return nanoseconds / 1000, data

    def _once(self, data: bytes) -> int:
        """Return processor time: on a busy machine the clock on the wall tells of others."""
        signal.alarm(HANG_SECONDS)
        started = time.process_time_ns()
        self._findings.feed(self._subject, data)
        signal.alarm(0)
        return time.process_time_ns() - started


def hangs(*_: object) -> Never:
    """Raise out of an input that takes for ever (regular expressions too look for signals): so it is a finding."""
    raise TimeoutError(f"no end after {HANG_SECONDS} s")


def resident_bytes() -> int:
    """Return how much memory this process occupies now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(
    chosen: Parser, corpus: list[bytes], findings: Findings, runs: int, seed: int
) -> tuple[Measured, bytes]:
    """Feed the corpus, and then ``runs`` inputs like it; return the figures and the slowest input.

    Memory counts from after the corpus, caches included.
    """
    mutator = Mutator(corpus, seed=seed, max_bytes=chosen.max_bytes, words=chosen.words)
    async with chosen.opened() as subject:
        meter = Meter(subject, findings)
        for at in range(0, len(corpus), BATCH):
            await meter.feed(corpus[at : at + BATCH])
        before = resident_bytes()
        for at in range(0, runs, BATCH):
            await meter.feed(list(mutator.inputs(min(BATCH, runs - at))))
        growth = resident_bytes() - before
        mean, (worst, slowest) = meter.cpu_ns / meter.inputs / 1000, meter.worst()
    return Measured(meter.inputs, dict(findings.counts), growth, mean, worst), slowest


def main(target: str, name: str, corpus: str, found: str, runs: str, seed: str) -> None:
    """Measure and print."""
    signal.signal(signal.SIGALRM, hangs)
    chosen = parser(target, name)
    inputs = [path.read_bytes() for path in sorted(Path(corpus).iterdir())]
    loop, findings = VirtualLoop(), Findings(Path(found))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        measured, slowest = runner.run(measure(chosen, inputs, findings, int(runs), int(seed)))
    if loop.failure is not None:
        raise loop.failure
    (Path(found) / "slowest.bin").write_bytes(slowest)
    print(json.dumps(asdict(measured)))


if __name__ == "__main__":
    main(*sys.argv[1:])
