"""Registrations and calls in a second: what is served without a failure, and what it costs."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from scripts.bench.report import OURS, Figure

from . import systems
from .systems import HOST, Outcome, System

REGISTRATIONS, CALLS, OVERLOAD, STANDING = "registrations", "calls", "overload", "standing"
USERS = 1000
SETTLING = 6.0  # seconds until the calls stand
REGISTER_RATE, CALL_RATE, CALM_RATE = 300, 150, 50
STANDING_CALLS, STANDING_SECONDS = 200, 600
MB_PER_HOUR = 6.0  # what counts as flat
OTHERS = "with more than half of the core calls may be refused: measure again when it is quiet"
A_CORE = 0.9  # of one: with less, others were at work on it
PER_CPU = (
    "in a second of processor time; where others were at work on the core, what both costs come to counts"
)


def register(system: System, folder: Path, callee_port: int, kind: str, rate: int, count: int) -> Outcome:
    """Register phones, `rate` in a second."""
    users = systems.users_file(folder, USERS, callee_port, kind)
    options = (f"{HOST}:{system.port}", "-inf", str(users), "-r", str(rate), "-m", str(count), "-l", "2000")
    argv = systems.sipp_command("register", folder, systems.free_port(), *options, "-recv_timeout", "5000")
    systems.drive(argv, folder, 60 + count / rate)
    return systems.outcome("register", folder)


def call(
    system: System, folder: Path, callee_port: int, rate: int, seconds: float, hold_ms: int = 100
) -> Outcome:
    """Place calls, `rate` in a second."""
    users = systems.users_file(folder, USERS, callee_port, "c")
    count = str(int(rate * seconds))
    options = (f"{HOST}:{system.port}", "-inf", str(users), "-r", str(rate), "-m", count, "-l", "20000")
    argv = systems.sipp_command(
        "caller", folder, systems.free_port(), *options, "-recv_timeout", "20000", hold_ms=hold_ms
    )
    systems.drive(argv, folder, 60 + seconds + hold_ms / 1000)
    return systems.outcome("caller", folder)


@contextlib.contextmanager
def each_system(name: str, folder: Path) -> Iterator[System]:
    """Run a system by its name."""
    with systems.freecall(USERS) if name == OURS else systems.kamailio(folder) as system:
        yield system


def names() -> list[str]:
    """Return the systems that there are."""
    return [OURS, *(["kamailio"] if systems.has_kamailio() else [])]


def registrations(*, quick: bool) -> list[Figure]:
    """Measure REGISTER with digest."""
    seconds = 4 if quick else 15
    cost: dict[str, float | None] = {}
    failed: dict[str, float | None] = {}
    for name in names():
        with tempfile.TemporaryDirectory() as temporary, each_system(name, Path(temporary)) as system:
            before = system.cpu_seconds()
            result = register(
                system, Path(temporary), systems.free_port(), "v", REGISTER_RATE, REGISTER_RATE * seconds
            )
            cost[name] = (system.cpu_seconds() - before) * 1e3 / (REGISTER_RATE * seconds)
            failed[name] = result.failed + result.repeated
    return [
        Figure(
            REGISTRATIONS, f"failed or repeated at {REGISTER_RATE}/s for {seconds} s", "phones", failed, 0
        ),
        Figure(REGISTRATIONS, "processor time of one with its challenge", "ms", cost, 1000 / REGISTER_RATE),
    ]


@dataclass(frozen=True)
class Stage:
    """Calls at one rate: how many were answered in what processor time, others' share of the core, sipp's counts."""

    answered: int
    cpu: float
    others: float
    outcome: Outcome

    @property
    def lost(self) -> int:
        """Calls that were neither answered nor refused."""
        return self.outcome.failed

    def refusal(self, normal: "Stage") -> float:
        """Return the processor time of a refused call, in seconds; `normal` tells that of an answered one."""
        refused = self.outcome.good + self.outcome.failed - self.answered
        return max(self.cpu - self.answered / normal.in_a_second, 0.0) / max(refused, 1)

    @property
    def in_a_second(self) -> float:
        """Answered calls in a second of processor time."""
        return self.answered / self.cpu


def stage(system: System, folder: Path, callee_port: int, rate: int, seconds: float) -> Stage:
    """Place calls at one rate; the callees are registered."""
    with systems.callees(folder, callee_port):
        before, busy, began = system.cpu_seconds(), systems.busy_seconds(systems.SERVED[0]), time.monotonic()
        result = call(system, folder, callee_port, rate, seconds)
        cpu = system.cpu_seconds() - before
        others = systems.busy_seconds(systems.SERVED[0]) - busy - cpu
        share = max(others, 0.0) / (time.monotonic() - began)
    return Stage(systems.outcome("callee", folder).good, cpu, share, result)


def calls(*, quick: bool) -> list[Figure]:
    """Measure calls between phones of one node, each challenged."""
    seconds = 5 if quick else 60
    cost: dict[str, float | None] = {}
    failed: dict[str, float | None] = {}
    others: dict[str, float | None] = {}
    for name in names():
        with tempfile.TemporaryDirectory() as temporary, each_system(name, Path(temporary)) as system:
            folder, port = Path(temporary), systems.free_port()
            register(system, folder, port, "v", REGISTER_RATE, USERS)
            result = stage(system, folder, port, CALL_RATE, seconds)
            cost[name], others[name] = result.cpu * 1e3 / (CALL_RATE * seconds), 100 * result.others
            failed[name] = CALL_RATE * seconds - min(result.answered, result.outcome.good)
    return [
        Figure(CALLS, f"failed at {CALL_RATE}/s for {seconds} s", "calls", failed, 0),
        Figure(CALLS, "processor time of one", "ms", cost, 1000 / CALL_RATE),
        Figure(CALLS, "other programs on the core meanwhile", "%", others, note=OTHERS),
    ]


def overload(*, quick: bool) -> list[Figure]:
    """Offer more calls than can be served; then as many as can be."""
    seconds = 5 if quick else 20
    figures = []
    with tempfile.TemporaryDirectory() as temporary, systems.freecall(USERS) as system:
        folder, port = Path(temporary), systems.free_port()
        register(system, folder, port, "v", REGISTER_RATE, USERS)
        normal = stage(system, folder, port, CALL_RATE, seconds)
        capacity = normal.in_a_second
        figures.append(
            Figure(OVERLOAD, "capacity", "calls/s", {OURS: capacity}, CALL_RATE, more_is_better=True)
        )
        for times in (2, 5):
            loaded = stage(system, folder, port, int(capacity * times), seconds)
            figures += _under_load(f"at {times} times the capacity", times, normal, loaded)
        after = stage(system, folder, port, CALM_RATE, seconds)
        lost = CALM_RATE * seconds - after.answered
        figures.append(Figure(OVERLOAD, f"failed at {CALM_RATE}/s right after", "calls", {OURS: lost}, 0))
    return figures


def _under_load(name: str, times: int, normal: Stage, loaded: Stage) -> list[Figure]:
    """Return how much of the capacity is left; the verdict is on what was measured only if the core was ours."""
    core = loaded.cpu / loaded.outcome.seconds
    call, refusal = 1 / normal.in_a_second, loaded.refusal(normal)
    alone = 100 * (1 - times * refusal / call) / (1 - refusal / call)
    measured = 100 * loaded.in_a_second / normal.in_a_second
    had_core = core > A_CORE
    return [
        Figure(OVERLOAD, f"{name}, share of a core", "%", {OURS: 100 * core}),
        _share(f"{name}, answered", measured, 70 if had_core else None),
        Figure(OVERLOAD, f"{name}, processor time of a refusal", "ms", {OURS: 1e3 * refusal}),
        _share(f"{name}, to be answered by these costs", alone, None if had_core else 70),
        Figure(OVERLOAD, f"{name}, neither answered nor refused", "calls", {OURS: loaded.lost}, 0),
    ]


def _share(name: str, value: float, target: float | None) -> Figure:
    return Figure(OVERLOAD, name, "% of it", {OURS: value}, target, more_is_better=True, note=PER_CPU)


def standing(*, quick: bool) -> list[Figure]:
    """Let calls stand; look at the memory once they stand, and before they end."""
    seconds = 30 if quick else STANDING_SECONDS
    with tempfile.TemporaryDirectory() as temporary, systems.freecall(USERS) as system:
        folder, port = Path(temporary), systems.free_port()
        register(system, folder, port, "v", REGISTER_RATE, USERS)
        with systems.callees(folder, port):
            sizes: list[float] = []
            watch = Watch(system, sizes, seconds)
            with watch:
                result = call(system, folder, port, 50, STANDING_CALLS / 50, hold_ms=seconds * 1000)
    third = len(sizes) // 3
    growth = mean(sizes[-third:]) - mean(sizes[third : 2 * third])
    hourly = growth * 3600 / (seconds / 3)
    return [
        Figure(STANDING, f"failed of {STANDING_CALLS} for {seconds} s", "calls", {OURS: result.failed}, 0),
        Figure(STANDING, "memory", "MB", {OURS: sizes[-1]}),
        Figure(STANDING, "growth while they stand", "MB/h", {OURS: hourly}, MB_PER_HOUR),
    ]


class Watch:
    """Notes the memory of a system once a second, from when its calls stand."""

    def __init__(self, system: System, sizes: list[float], seconds: float) -> None:
        self._system, self._sizes, self._seconds = system, sizes, seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        began = time.monotonic()
        while not self._over.wait(1.0):
            if SETTLING < time.monotonic() - began < self._seconds:
                self._sizes.append(self._system.rss_mb())
