"""Runs the benchmark of speech. Start it by scripts/bench/speech."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from scripts.bench.report import OURS, Figure, Layout, machine, publish
from tests.kit.baresip import SAMPLE_RATES
from tests.kit.speech import make_speech

from .calling import Heard, Place, place
from .score import score

DIRECT = "direct"
CODECS = ("PCMU", "G722", "opus")
CLEAN, LOSSY = "clean", "lossy"
LOSS = {CLEAN: 0.0, LOSSY: 1.0}
AS_GOOD = 0.05
"""Two calls of the same phones differ so much by where their packets are cut."""
LEAST_WITH_LOSS = 3.5
LAYOUT = Layout(
    sections={
        CLEAN: "no packet lost; to reach: what the phones reach by themselves, the ceiling of the codec",
        LOSSY: "1 % of the packets lost at random, each way",
    },
    peers={DIRECT: "phone to phone"},
    intros={
        CLEAN: "PESQ, MOS-LQO: narrowband for PCMU, wideband for the others; the mean of both directions.\n"
    },
)

Calls = Callable[[str, float], Awaitable[list[Heard]]]


async def measure(calls: Calls, codec: str, count: int, seconds: float) -> float:
    """Return the mean score over so many calls, both directions."""
    scores: list[float] = []
    for _ in range(count):
        scores += [score(heard) for heard in await calls(codec, seconds)]
    return sum(scores) / len(scores)


async def figures(where: Place, count: int, seconds: float) -> list[Figure]:
    """Measure all codecs at all losses."""
    found: list[Figure] = []
    ceilings: dict[str, float] = {}
    for section, percent in LOSS.items():
        where.lose(percent)
        for codec in CODECS:
            direct = await measure(where.directly, codec, count, seconds)
            ours = await measure(where.through_nodes, codec, count, seconds)
            ceiling = ceilings.setdefault(codec, direct)
            values: dict[str, float | None] = {OURS: ours, DIRECT: direct}
            target = (
                ceiling - AS_GOOD
                if section == CLEAN
                else LEAST_WITH_LOSS
                if ceiling > LEAST_WITH_LOSS
                else None
            )
            note = "" if target is not None else f"these phones stay below {LEAST_WITH_LOSS} without any loss"
            found.append(Figure(section, codec, "MOS-LQO", values, target, more_is_better=True, note=note))
    return found


async def run(*, quick: bool) -> list[Figure]:
    """Make the speech and the place, and measure there."""
    with tempfile.TemporaryDirectory() as folder:
        rates = sorted(set(SAMPLE_RATES.values()))
        speech = {rate: make_speech(Path(folder) / f"{rate}.wav", rate=rate) for rate in rates}
        async with place(speech) as where:
            return await figures(where, 1 if quick else 4, 10)


def main() -> int:
    """Measure and print."""
    arguments = argparse.ArgumentParser(prog="scripts/bench/speech", description="Measure speech by PESQ.")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    arguments.add_argument("--quick", action="store_true", help="one call of each, three minutes")
    options = arguments.parse_args()
    before = machine()
    measured = asyncio.run(run(quick=options.quick))
    return publish(measured, LAYOUT, before, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
