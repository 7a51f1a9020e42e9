"""Tiers: which tests this machine can run, said in words at the end; and a watch over unowned tasks."""

import asyncio
import fcntl
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Generator
from functools import cache
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, settings

PROGRAMS = {
    "baresip": "baresip-core",
    "sipp": "sip-tester",
    "gpg": "gnupg",
    "sox": "sox",
    "espeak-ng": "espeak-ng",
    "spin": "spin",
    "tcc": "tcc libc6-dev",
}
TURNSTILE, ROOM = Path(__file__), Path(__file__).with_name("__init__.py")
TIERS = ("loopback", "interop", "namespaces", "long")
BY_SCRIPT = {"interop": "FREECALL_PROGRAMS_MISSING", "namespaces": "FREECALL_NO_ROOT"}
"""Where scripts/test says that it knows a tier cannot run: then it is skipped in CI too."""

# How fast an example is made or judged depends on what else the machine does; speed is measured in scripts/bench.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

_ran: Counter[str] = Counter()
_skipped: dict[str, str] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --long."""
    parser.addoption("--long", action="store_true", help="also run the tests that take minutes")


def tiers_of(item: pytest.Item) -> list[str]:
    """Return the tiers that a test belongs to."""
    return [tier for tier in TIERS if item.get_closest_marker(tier)] or ["loopback"]


@cache
def obstacle(tier: str) -> str | None:
    """Return why this machine cannot run a tier, or None."""
    if tier == "interop":
        missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
        return f"missing programs; as root: apt install {' '.join(missing)}" if missing else None
    if tier == "namespaces":
        return _namespace_obstacle()
    return None


def _namespace_obstacle() -> str | None:
    if os.geteuid() != 0:
        return "not root"
    if shutil.which("ip") is None:
        return "missing program; apt install iproute2"
    name = f"fc-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"network namespaces are not allowed here ({made.stderr.strip()})"
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=True)
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Watch each asynchronous test that has a loop of its own; where several processes share the tests, mix them."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items[:] = mixed(items)
    for item in items:
        marker = item.get_closest_marker("asyncio")
        shares_loop = marker is not None and marker.kwargs.get("loop_scope", "function") != "function"
        if (
            isinstance(item, pytest.Function)
            and asyncio.iscoroutinefunction(item.function)
            and not shares_loop
        ):
            item.fixturenames.insert(0, "leaves_no_task_behind")


def mixed(items: list[pytest.Item]) -> list[pytest.Item]:
    """Spread the files of phones and nodes, which mostly wait, evenly among those that compute."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    places: dict[Path, float] = {}
    for waits in (True, False):
        kind = [path for path in files if ("interop" in path.parts) is waits]
        places |= {path: (number + 0.5) / len(kind) for number, path in enumerate(kind)}
    return [item for path in sorted(files, key=places.__getitem__) for item in files[path]]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, bool | None, bool | None]:
    """Let a test that is marked `alone` run while no other does: real-time media of several browsers needs both cores.

    Set-up and waiting included, which no time-out counts. The tests' processes share a lock, on two files that lie here
    anyway; who wants it for itself closes the turnstile first, so that it is not overtaken.
    """
    exclusive = item.get_closest_marker("alone") is not None
    with TURNSTILE.open() as turnstile, ROOM.open() as room:
        fcntl.flock(turnstile, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        fcntl.flock(turnstile, fcntl.LOCK_UN)
        return (yield)


@pytest_asyncio.fixture
async def leaves_no_task_behind() -> AsyncIterator[None]:
    """Fail a test after which, its fixtures closed, a task still runs: nobody owns it."""
    before = asyncio.all_tasks()
    yield
    for _ in range(3):
        await asyncio.sleep(0)  # a task that has just been cancelled needs a turn to end
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks left behind: {sorted(str(task.get_coro()) for task in left)}"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, and say why; in CI, fail unless the script knows the reason."""
    for tier in tiers_of(item):
        why = "only with --long" if tier == "long" and not item.config.getoption("--long") else obstacle(tier)
        if why is not None:
            if os.environ.get("CI") and tier in BY_SCRIPT and not os.environ.get(BY_SCRIPT[tier]):
                pytest.fail(f"the {tier} tier must run in CI: {why}", pytrace=False)
            pytest.skip(f"{tier}: {why}")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count per tier, also what worker processes have run."""
    tiers = [tier for tier in TIERS if tier in report.keywords] or ["loopback"]
    if report.when == "call":
        _ran.update(tiers)
    elif report.skipped and isinstance(report.longrepr, tuple):
        tier, _, why = report.longrepr[2].removeprefix("Skipped: ").partition(": ")
        if tier in tiers:
            _skipped[tier] = why


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tiers ran, and which checks failed before the tests."""
    terminalreporter.section("tiers")
    for tier in TIERS:
        if tier in _skipped:
            terminalreporter.line(f"{tier}: {_ran[tier]} tests ran, others not: {_skipped[tier]}")
        elif _ran[tier]:
            terminalreporter.line(f"{tier}: {_ran[tier]} tests ran")
        else:
            terminalreporter.line(f"{tier}: no test selected")
    if failed := os.environ.get("FREECALL_CHECKS_FAILED"):
        terminalreporter.line(f"FAILED before the tests (see above): {failed}", red=True)
