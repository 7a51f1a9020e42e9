"""fc-lab: whole meshes in virtual time. What happens when 40 % of 10,000 nodes die? See docs/lab.md."""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path

from overlay.lab.report import Report
from overlay.lab.run import Progress, carry_out
from overlay.lab.scenario import Scenario, ScenarioError, load, names
from overlay.lab.virtual_time import run

from . import USAGE_ERROR, give_up, say

MISSED = 1
BAR = 30


def main() -> None:
    """Run the command. Exit status: 0 all as expected, 1 not, 2 usage."""
    arguments = _arguments()
    try:
        if arguments.command == "list":
            _list()
        else:
            _run(load(arguments.scenario), arguments)
    except ScenarioError as error:
        give_up(str(error), USAGE_ERROR)


def _arguments() -> argparse.Namespace:
    command = argparse.ArgumentParser(
        prog="fc-lab",
        description="Meshes of real nodes on virtual time: run a scenario, see whether all is as expected.",
    )
    commands = command.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="show the scenarios")
    go = commands.add_parser("run", help="run a scenario")
    go.add_argument("scenario", metavar="SCENARIO", help="its name, or the path of a .toml file")
    go.add_argument("--nodes", metavar="N", type=_count, help="so many nodes in place of the scenario's")
    go.add_argument("--seed", metavar="S", type=_seed, default=1, help="another seed, other chances (1)")
    go.add_argument("--json", action="store_true", help="print one JSON object in place of the table")
    go.add_argument(
        "--plot", metavar="FILE", type=Path, help="draw latency, success and copies over time (.png or .svg)"
    )
    return command.parse_args()


def _count(text: str) -> int:
    digits = text.replace("_", "").replace(",", "")
    number = int(digits) if digits.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of nodes, such as 300")
    return number


def _seed(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no seed: any whole number is") from error


def _list() -> None:
    scenarios = [load(name) for name in names()]
    sizes = [" to ".join(f"{n:,}" for n in _smallest_and_largest(scenario)) for scenario in scenarios]
    width, size_width = max(map(len, names())), max(map(len, sizes))
    say(f"{'SCENARIO':{width}}  {'NODES':>{size_width}}  WHAT HAPPENS")
    for scenario, size in zip(scenarios, sizes, strict=True):
        long = "  (takes long)" if scenario.is_long else ""
        say(f"{scenario.name:{width}}  {size:>{size_width}}  {scenario.title}{long}")
    say("\nRun one with `fc-lab run SCENARIO`, or write your own: docs/lab.md.")


def _smallest_and_largest(scenario: Scenario) -> list[int]:
    return sorted({f(mesh.nodes for mesh in scenario.meshes()) for f in (min, max)})


def _run(scenario: Scenario, arguments: argparse.Namespace) -> None:
    draw = _plotter(arguments.plot) if arguments.plot else None
    report = Report(scenario, arguments.seed)
    meshes = scenario.meshes(arguments.nodes)
    for number, mesh in enumerate(meshes):
        bar = _bar(f"{number + 1}/{len(meshes)} " if len(meshes) > 1 else "")
        outcomes, series = run(
            carry_out(
                mesh,
                scenario.steps,
                seed=arguments.seed,
                watch_seconds=scenario.watch_seconds,
                on_progress=bar,
            )
        )
        report.runs.append((mesh, outcomes, series))
    _clear()
    say(json.dumps(report.as_json(), indent=2) if arguments.json else report.as_text())
    if draw is not None:
        draw(report)
    raise SystemExit(0 if report.is_met else MISSED)


def _plotter(path: Path) -> Callable[[Report], None]:
    """Return what draws; say at once, not after the run, when it cannot."""
    if path.suffix not in (".png", ".svg"):
        give_up(f"{path}: a plot is a .png or an .svg file.", USAGE_ERROR)
    if not path.parent.is_dir():
        give_up(f"{path}: there is no folder {path.parent}.", USAGE_ERROR)
    try:
        from overlay.lab.plot import draw
    except ModuleNotFoundError:
        give_up(
            "A plot needs matplotlib, which is not installed: run `scripts/setup --dev`, "
            "or `pip install 'freecall[lab]'`.",
            USAGE_ERROR,
        )
    return lambda report: draw(report, path)


def _bar(prefix: str) -> Callable[[Progress], None]:
    """Return what shows the progress on a terminal, and elsewhere nothing."""
    shown = ""

    def show(progress: Progress) -> None:
        nonlocal shown
        if not sys.stderr.isatty():
            return
        share = (progress.step + progress.share) / progress.steps
        full = int(share * BAR)
        text = f"{prefix}[{'#' * full}{'.' * (BAR - full)}] {progress.text}"
        if text != shown:
            shown = text
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()

    return show


def _clear() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()


if __name__ == "__main__":
    main()
