"""Bridged calls under load: loss, delay and processor time, beside rtpengine in the same run on the same core."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from scripts.bench.report import OURS, Figure, percentile

from . import systems
from .phones import Phones, Talk

DELAY, CAPACITY, CORES = "delay", "capacity", "cores"
MAX_ADDED_US = 10_000
RTPENGINE = "rtpengine"
Open = Callable[[list[int]], contextlib.AbstractContextManager[systems.System]]
SYSTEMS: dict[str, Open] = {OURS: systems.freecall}
if systems.RTPENGINE:
    SYSTEMS[RTPENGINE] = systems.rtpengine


@dataclass(frozen=True)
class Load:
    """What a system did under one load."""

    cpu: float
    lost: int
    p50: float
    p99: float

    @property
    def is_carried(self) -> bool:
        """Whether nothing was lost and nothing late."""
        return self.lost == 0 and self.p99 <= MAX_ADDED_US


def _load(phones: Phones, running: systems.System, base: Talk, seconds: float) -> Load:
    phones.talk(running.to, 1)  # caches warm, sources latched
    before, begun = running.cpu_seconds(), time.monotonic()
    talk = phones.talk(running.to, seconds)
    share = (running.cpu_seconds() - before) / (time.monotonic() - begun)
    straight = percentile(base.delays, 50) or 0.0
    p50, p99 = (percentile(talk.delays, at) or float("inf") for at in (50, 99))
    return Load(100 * share, talk.sent - talk.received, p50 - straight, p99 - straight)


def _measure(legs: int, seconds: float, *opened: Open) -> list[Load]:
    """Put the same load on one system after the other. Two legs are a call: one node's and the other's."""
    systems.be_phones()
    loads = []
    with contextlib.closing(Phones(legs // 2)) as phones:
        base = phones.talk(phones.straight(), 1)
        for one in opened:
            with one(phones.ports) as running:
                loads.append(_load(phones, running, base, seconds))
    return loads


def delay(*, quick: bool) -> list[Figure]:
    """100 legs: processor time, added delay; the systems take turns, and the medians of the turns count."""
    turns, seconds = (3, 3.0) if quick else (7, 6.0)
    loads = _measure(100, seconds, *([*SYSTEMS.values()] * turns))
    by_system = {name: loads[at :: len(SYSTEMS)] for at, name in enumerate(SYSTEMS)}

    def values(get: Callable[[Load], float]) -> dict[str, float | None]:
        return {name: median(map(get, some)) for name, some in by_system.items()}

    cpu = values(lambda load: load.cpu)
    pairs = zip(by_system[OURS], by_system.get(RTPENGINE, []), strict=False)
    ratios = [ours.cpu / theirs.cpu for ours, theirs in pairs]
    ratio = median(ratios) if ratios else None
    return [
        Figure(DELAY, "processor, 100 legs", "% of a core", cpu),
        Figure(DELAY, "processor against rtpengine", "times", {OURS: ratio}, 1.4),
        Figure(DELAY, "added by two nodes, p50", "µs", values(lambda load: load.p50), 85),
        Figure(DELAY, "added by two nodes, p99", "µs", values(lambda load: load.p99), 330),
        Figure(DELAY, "lost", "packets", values(lambda load: load.lost), 0),
    ]


def capacity(*, quick: bool) -> list[Figure]:
    """How many legs one core carries without loss, none later than 10 ms but one in a hundred."""
    steps = (300, 600) if quick else (200, 300, 400, 500, 600, 800)
    carried: dict[str, float | None] = {}
    figures = []
    for name, opened in SYSTEMS.items():
        carried[name] = 0
        for legs in steps:
            tries = _measure(legs, 3 if quick else 6, opened, opened)
            load = min(
                tries, key=lambda one: (one.lost, one.p99)
            )  # the machine may have had other work in one
            for what, unit, value in (
                ("processor", "%", load.cpu),
                ("p99", "µs", load.p99),
                ("lost", "", load.lost),
            ):
                figures.append(Figure(CAPACITY, f"{legs} legs, {what}", unit, {name: value}))
            if not load.is_carried:
                break
            carried[name] = legs
    merged: dict[str, Figure] = {}
    for one in figures:
        merged.setdefault(one.name, one).values.update(one.values)
    most = Figure(CAPACITY, "legs on one core", "legs", carried, 300, more_is_better=True)
    return [most, *merged.values()]


def cores(*, quick: bool) -> list[Figure]:
    """The same 200 legs by one process, and by one on each core."""
    seconds = 4 if quick else 8
    one, two = _measure(200, seconds, systems.freecall, lambda ports: systems.freecall(ports, workers=2))
    return [
        Figure(CORES, f"200 legs, {name}, {what}", unit, {OURS: value})
        for name, load in (("one process", one), ("two processes", two))
        for what, unit, value in (
            ("processor", "%", load.cpu),
            ("added p50", "µs", load.p50),
            ("lost", "packets", load.lost),
        )
    ]
