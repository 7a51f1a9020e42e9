"""Draws a run: latency, success and copies over virtual time. Needs matplotlib."""

import math
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .measure import Series, percentile
from .report import Report

WINDOWS = 60


def draw(report: Report, path: Path) -> None:
    """Write a picture of the last run, in the format that the file's name ends with; the same for the same run."""
    mesh, _, series = report.runs[-1]
    mpl.rcParams["svg.hashsalt"] = "freecall"
    figure = Figure(figsize=(9, 7), layout="constrained")
    above, middle, below = figure.subplots(3, 1, sharex=True)
    figure.suptitle(f"{report.scenario.title}\n{mesh.nodes:,} nodes, k = {mesh.k}, seed {report.seed}")
    _draw_latency(above, series)
    _draw_success(middle, series)
    _draw_copies(below, series)
    below.set_xlabel("virtual time in minutes")
    for axes in (above, middle, below):
        axes.grid(alpha=0.3)
        for when, _ in series.marks:
            axes.axvline(when / 60, color="tab:gray", linestyle=":", linewidth=1)
    for when, text in series.marks:
        above.annotate(
            text, (when / 60, 1.0), xycoords=("data", "axes fraction"), fontsize=8, rotation=90, va="top"
        )
    figure.savefig(path, dpi=120, metadata={"Date": None} if path.suffix == ".svg" else None)


def _windows(series: Series) -> dict[float, list[tuple[float, bool]]]:
    """Return the resolves by stretches of time, in minutes; an empty one where nobody asked, to break the line."""
    times = [when for when, _, _ in series.resolves]
    if not times:
        return {}
    width = max((max(times) - min(times)) / WINDOWS, 1.0)
    numbers = [int((when - min(times)) / width) for when in times]
    stretches: dict[int, list[tuple[float, bool]]] = {number: [] for number in range(max(numbers) + 1)}
    for number, (_, ms, found) in zip(numbers, series.resolves, strict=True):
        stretches[number].append((ms, found))
    return {(min(times) + (n + 0.5) * width) / 60: results for n, results in stretches.items()}


def _draw_latency(axes: Axes, series: Series) -> None:
    axes.set_ylabel("resolve, ms")
    windows = _windows(series)
    axes.plot(
        [when / 60 for when, _, _ in series.resolves],
        [ms for _, ms, _ in series.resolves],
        ".",
        color="tab:blue",
        alpha=0.15,
        markersize=3,
        label="each",
    )
    for share, name, colour in ((0.5, "p50", "tab:blue"), (0.99, "p99", "tab:red")):
        axes.plot(
            list(windows),
            [percentile([ms for ms, _ in results], share) for results in windows.values()],
            color=colour,
            label=name,
        )
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", fontsize=8)


def _draw_success(axes: Axes, series: Series) -> None:
    axes.set_ylabel("found, %")
    windows = _windows(series)
    shares = [
        100 * sum(found for _, found in results) / len(results) if results else math.nan
        for results in windows.values()
    ]
    axes.plot(list(windows), shares, color="tab:green")
    axes.set_ylim(min([90.0, *(share for share in shares if not math.isnan(share))]) - 1, 101)


def _draw_copies(axes: Axes, series: Series) -> None:
    axes.set_ylabel("copies alive")
    times = [when / 60 for when, _, _ in series.copies]
    axes.plot(times, [mean for _, _, mean in series.copies], color="tab:blue", label="mean")
    axes.plot(times, [fewest for _, fewest, _ in series.copies], color="tab:red", label="fewest of a name")
    axes.set_ylim(bottom=0)
    if times:
        axes.legend(loc="lower right", fontsize=8)
