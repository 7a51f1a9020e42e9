"""From answer to keyed media, on a good wire and on one that loses a tenth; what ten thousand calls leave behind."""

import asyncio
import gc
import random
import sys
import time
from pathlib import Path

import uvloop

from media.events import MediaConnected
from scripts.bench.report import OURS, Figure, percentile
from tests.media.call_pair import Pair, answered_call, call
from tests.media.tap import Tap

from .systems import pages_mb

SETUP, LEAKS = "setup", "leaks"


async def _keyed(pair: Pair, tap: Tap) -> float:
    """Set a call between strangers up, whose media begins with the answer; return the ms until both have keys."""
    offer = await pair.caller.media.offer_from_phone(pair.caller.phone.sdp())
    await pair.callee.media.offer_from_mesh(tap.rewrite("caller", offer))
    begun = time.perf_counter()
    answer = await pair.callee.media.answer_from_phone(pair.callee.phone.sdp())
    await pair.caller.media.answer_from_mesh(tap.rewrite("callee", answer))
    fragment = pair.caller.media.transport_fragment()
    assert fragment is not None
    await pair.callee.media.transport_from_mesh(tap.rewrite("caller", fragment))
    for side in (pair.caller, pair.callee):
        while not any(isinstance(event, MediaConnected) for event in side.events):
            side.told.clear()
            await side.told.wait()
    return (time.perf_counter() - begun) * 1e3


async def _strangers(loss: float, calls: int) -> list[float]:
    dice = random.Random(1)
    took = []
    for _ in range(calls):
        tap = await Tap().open()
        tap.drops = lambda _to, _data: dice.random() < loss
        try:
            async with asyncio.timeout(30), call(early=False) as pair:
                took.append(await _keyed(pair, tap))
        finally:
            tap.close()
    return took


def setup(*, quick: bool) -> list[Figure]:
    """Calls between strangers: ICE and DTLS begin with the answer (people who know each other have keys before)."""
    calls = 20 if quick else 100
    figures = []
    for loss, p95 in ((0.0, None), (0.1, 1_000)):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            took = runner.run(_strangers(loss, calls))
        wire = f"answer to keys, {loss:.0%} lost"
        figures += [
            Figure(SETUP, f"{wire}, p50", "ms", {OURS: percentile(took, 50)}, None if loss else 60),
            Figure(SETUP, f"{wire}, p95", "ms", {OURS: percentile(took, 95)}, p95),
            Figure(SETUP, f"{wire}, longest", "ms", {OURS: max(took)}),
        ]
    return figures


def _standing() -> tuple[int, int, float]:
    """Return open descriptors, tasks but this one, and resident MB."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks()) - 1, pages_mb("self")


async def _many(calls: int) -> list[Figure]:
    async def some(count: int) -> None:
        for _ in range(count):
            async with answered_call():
                pass

    await some(calls // 10)  # what the first calls allocate is kept and used again
    files, tasks, megabytes = _standing()
    marks = []
    for tenth in range(9):
        await some(calls // 10)
        marks.append(_standing())
        print(f"  {(tenth + 2) * calls // 10:,} calls, {marks[-1][2]:.1f} MB", file=sys.stderr, flush=True)
    after_files, after_tasks, after_megabytes = marks[-1]
    return [
        Figure(LEAKS, f"{calls:,} calls, open descriptors more", "", {OURS: after_files - files}, 0),
        Figure(LEAKS, f"{calls:,} calls, tasks more", "", {OURS: after_tasks - tasks}, 0),
        Figure(LEAKS, f"{calls:,} calls, memory more", "MB", {OURS: after_megabytes - megabytes}),
        Figure(LEAKS, "memory more in the second half", "B/call", {OURS: _slope(marks, calls)}, 100),
    ]


def _slope(marks: list[tuple[int, int, float]], calls: int) -> float:
    half = marks[len(marks) // 2 :]
    return (half[-1][2] - half[0][2]) * 1e6 / ((len(half) - 1) * calls / 10)


def leaks(*, quick: bool) -> list[Figure]:
    """Calls set up, secured and torn down, one after the other."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_many(500 if quick else 10_000))
