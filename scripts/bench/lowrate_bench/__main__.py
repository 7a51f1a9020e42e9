"""Runs the benchmark of calls on a poor line. Start it by scripts/bench/lowrate."""

import argparse
import asyncio
import math
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.bench.report import OURS, Figure, Layout, machine, publish
from tests.kit.baresip import SAMPLE_RATES
from tests.kit.speech import make_speech

from .bill import OF_THE_CALL, Bill
from .calling import Outcome, both

DIRECT = "direct"
MOST_PERCENT = 15.0
MOST_KILOBITS = 32.0
SETTLING_SECONDS = 2.0
"""Less than this of a call may be missing at its end: loss, and what is on its way."""

PTIMES_MS = {"60 ms": 60, "120 ms": 120}
LAYOUT = Layout(
    sections={
        "60 ms": "baresip, Opus at 20 kb/s, 60 ms in a packet",
        "120 ms": "a scripted phone, 20 kb/s, 120 ms in a packet",
    },
    peers={DIRECT: "phone to phone"},
    intros={
        "60 ms": "64 kb/s, 5 % of the packets lost, 150 ms, each way. "
        "Bytes are of whole IP packets, as each host sends them.\n"
    },
)


def of_one_direction(section: str, way: str, ours: Bill, direct: Bill) -> list[Figure]:
    """Return what one direction has cost."""

    def figure(name: str, unit: str, values: tuple[float, float], target: float | None = None) -> Figure:
        pair: dict[str, float | None] = {OURS: values[0], DIRECT: values[1]}
        return Figure(section, f"{way}: {name}", unit, pair, target, samples={OURS: ours.packets})

    def percent(name: str, count: int) -> Figure:
        return figure(name, "% of the payload", (ours.percent(count), 0.0))

    return [
        figure("payload", "kb/s", (ours.kilobits(ours.payload), direct.kilobits(direct.payload))),
        figure(
            "ours over the payload",
            "% of the payload",
            (ours.percent(ours.overhead), direct.percent(direct.overhead)),
            MOST_PERCENT,
        ),
        percent("- SRTP tags", ours.tags),
        *(percent(f"- {kind.upper()}", ours.ours[kind]) for kind in OF_THE_CALL),
        figure("the node's part in the DHT", "kb/s", (ours.kilobits(ours.mesh), 0.0)),
        figure(
            "all that the host sends",
            "kb/s",
            (ours.kilobits(ours.total), direct.kilobits(direct.total)),
            MOST_KILOBITS,
        ),
        figure("not heard by the far phone", "% of the packets", (100 * ours.lost, 100 * direct.lost)),
    ]


def figures(section: str, ours: Outcome, direct: Outcome, seconds: float) -> list[Figure]:
    """Return all figures of one pair of calls."""
    up: dict[str, float | None] = {OURS: ours.up_seconds, DIRECT: direct.up_seconds}
    silence: dict[str, float | None] = {OURS: ours.longest_silence, DIRECT: direct.longest_silence}
    setting_up: dict[str, float | None] = {OURS: ours.setting_up / 1000, DIRECT: direct.setting_up / 1000}
    dials: dict[str, float | None] = {OURS: ours.dials, DIRECT: direct.dials}
    found = [
        Figure(section, "dialled until it rang", "times", dials),
        Figure(section, "call up", "s", up, seconds - SETTLING_SECONDS, more_is_better=True),
        Figure(section, "longest pause between two packets at a phone", "s", silence),
    ]
    for index, way in enumerate(("out", "back")):
        found += of_one_direction(section, way, ours.bills[index], direct.bills[index])
    found.append(Figure(section, "before: starting, finding, setting up, both hosts", "kB", setting_up))
    return found


def long_speech(folder: Path, seconds: float) -> Path:
    """Make speech for the whole call and what comes before: baresip hangs up when its file ends."""
    minute, speech = make_speech(folder / "minute.wav", rate=SAMPLE_RATES["opus"]), folder / "speech.wav"
    repeats = str(math.ceil(seconds / 60) + 1)
    subprocess.run(["sox", str(minute), str(speech), "repeat", repeats], check=True, timeout=60)
    return speech


async def run(seconds: float) -> list[Figure]:
    """Measure all at the same time: each call has a line of its own."""
    with tempfile.TemporaryDirectory() as folder:
        speech = long_speech(Path(folder), seconds)
        async with asyncio.TaskGroup() as group:
            tasks = {
                section: group.create_task(both(ptime_ms, speech, seconds))
                for section, ptime_ms in PTIMES_MS.items()
            }
    return [one for section, task in tasks.items() for one in figures(section, *task.result(), seconds)]


def main() -> int:
    """Measure and print."""
    arguments = argparse.ArgumentParser(prog="scripts/bench/lowrate", description="Measure on a poor line.")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    arguments.add_argument("--quick", action="store_true", help="half a minute instead of five")
    options = arguments.parse_args()
    before = machine()
    measured = asyncio.run(run(30 if options.quick else 300))
    return publish(measured, LAYOUT, before, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
