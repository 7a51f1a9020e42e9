"""Registrations and calls in a second: what is served without a failure, and what it costs."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.report import OURS, Figure

from . import systems
from .systems import HOST, Outcome, System

REGISTRATIONS, CALLS = "registrations", "calls"
USERS = 1000
REGISTER_RATE, CALL_RATE = 300, 150


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


def calls(*, quick: bool) -> list[Figure]:
    """Measure calls between phones of one node, each challenged."""
    seconds = 45 if quick else 60
    cost: dict[str, float | None] = {}
    failed: dict[str, float | None] = {}
    for name in names():
        with tempfile.TemporaryDirectory() as temporary, each_system(name, Path(temporary)) as system:
            folder, port = Path(temporary), systems.free_port()
            register(system, folder, port, "v", REGISTER_RATE, USERS)
            with systems.callees(folder, port):
                before = system.cpu_seconds()
                result = call(system, folder, port, CALL_RATE, seconds)
                cost[name] = (system.cpu_seconds() - before) * 1e3 / (CALL_RATE * seconds)
            answered = systems.outcome("callee", folder).good
            failed[name] = CALL_RATE * seconds - min(answered, result.good)
    return [
        Figure(CALLS, f"failed at {CALL_RATE}/s for {seconds} s", "calls", failed, 0),
        Figure(CALLS, "processor time of one", "ms", cost, 1000 / CALL_RATE),
    ]
