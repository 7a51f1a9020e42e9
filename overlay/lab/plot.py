"""Draws a run: latency, success and copies over virtual time. Needs matplotlib."""

import math
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .measure import Series, percentile
from .report import Report
from .world import Mesh

WINDOWS = 60
LONG_SECONDS = 3 * 3600.0
MARGIN = 0.02
LEGIBLE = 0.14
"""A stretch of this share of the axis has room for a few words."""
BLUE, RED, GREEN, GREY = "#1f5fa8", "#c8442b", "#3f8f4f", "#5a5a5a"


def draw(report: Report, path: Path) -> None:
    """Write a picture of the last run, in the format that the file's name ends with; the same for the same run."""
    mesh, _, series = report.runs[-1]
    with mpl.rc_context(
        {"font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "freecall"}
    ):
        figure = Figure(figsize=(9, 6.4), layout="constrained")
        above, middle, below = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1.3, 2))
        figure.suptitle(report.scenario.title, fontsize=15, fontweight="bold", x=0.02, ha="left")
        unit, seconds = ("hours", 3600.0) if _span(series)[1] > LONG_SECONDS else ("minutes", 60.0)
        _draw_latency(above, series, seconds)
        _draw_success(middle, series, seconds)
        _draw_copies(below, series, seconds)
        below.set_xlabel(f"{unit} of virtual time  ·  {_describe(mesh)}, seed {report.seed}")
        for axes in (above, middle, below):
            axes.grid(axis="y", alpha=0.25)
            axes.set_ylim(bottom=0)
            for when, _ in series.marks:
                axes.axvline(when / seconds, color=GREY, linestyle="--", linewidth=1.2)
        for when, text in series.marks:
            _label(above, when / seconds, text)
        begin, end = _span(series)
        if end > begin:
            room = MARGIN * (end - begin)
            below.set_xlim((begin - room) / seconds, (end + room) / seconds)
        is_svg = path.suffix == ".svg"  # where the dots are a picture within, which may be coarser
        figure.savefig(path, dpi=72 if is_svg else 96, metadata={"Date": None} if is_svg else None)


def _describe(mesh: Mesh) -> str:
    loss = f", {mesh.loss:.0%} loss" if mesh.loss else ""
    return f"{mesh.nodes:,} nodes, {mesh.mean_rtt_ms:g} ms mean round trip{loss}, k = {mesh.k}"


def _span(series: Series) -> tuple[float, float]:
    """Return the time that the picture shows: from the first thing that happens or is asked on."""
    resolves = [when for when, _, _ in series.resolves]
    marks = [when for when, _ in series.marks]
    looks = [when for when, _, _ in series.copies]
    return min([*resolves, *marks], default=0.0), max([*resolves, *marks, *looks], default=0.0)


def _label(axes: Axes, when: float, text: str) -> None:
    axes.annotate(
        text,
        (when, 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -2),
        textcoords="offset points",
        va="top",
        fontweight="bold",
        color=GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.9},
    )


def _windows(series: Series, seconds: float) -> dict[float, list[tuple[float, bool]]]:
    """Return the resolves by stretches of time; an empty one where nobody asked, to break the line."""
    times = [when for when, _, _ in series.resolves]
    if not times:
        return {}
    width = max((max(times) - min(times)) / WINDOWS, 1.0)
    numbers = [min(int((when - min(times)) / width), WINDOWS - 1) for when in times]
    stretches: dict[int, list[tuple[float, bool]]] = {number: [] for number in range(max(numbers) + 1)}
    for number, (_, ms, found) in zip(numbers, series.resolves, strict=True):
        stretches[number].append((ms, found))
    return {(min(times) + (n + 0.5) * width) / seconds: results for n, results in stretches.items()}


def _draw_latency(axes: Axes, series: Series, seconds: float) -> None:
    axes.set_title("Time to find a name, ms", loc="left", fontsize=12)
    windows = _windows(series, seconds)
    axes.plot(
        [when / seconds for when, _, _ in series.resolves],
        [ms for _, ms, _ in series.resolves],
        ".",
        color=BLUE,
        alpha=0.2,
        markersize=3,
        rasterized=True,
    )
    slowest = [percentile([ms for ms, _ in results], 0.99) for results in windows.values()]
    for share, name, colour in ((0.99, "99 of 100 are faster", RED), (0.5, "median", BLUE)):
        lines = [percentile([ms for ms, _ in results], share) for results in windows.values()]
        axes.plot(list(windows), lines, color=colour, linewidth=2, label=name)
    top = max((ms for ms in slowest if not math.isnan(ms)), default=math.nan)
    if top > 0:
        axes.set_ylim(0, 1.3 * top)  # single ones may be slower by far: what matters stays legible
    axes.legend(loc="upper right", frameon=False, ncols=2)


def _draw_success(axes: Axes, series: Series, seconds: float) -> None:
    axes.set_title("Found, in its newest version, %", loc="left", fontsize=12)
    windows = _windows(series, seconds)
    shares = [
        100 * sum(found for _, found in results) / len(results) if results else math.nan
        for results in windows.values()
    ]
    axes.fill_between(list(windows), shares, color=GREEN, alpha=0.3, linewidth=0)
    axes.plot(list(windows), shares, color=GREEN, linewidth=2)
    axes.set_ylim(0, 108)
    axes.set_yticks([0, 50, 100])
    ends = [0.0, *(when for when, _ in series.marks), math.inf]
    first, last = _span(series)
    for begin, end in pairwise(ends):
        asked = [(when, found) for when, _, found in series.resolves if begin <= when < end]
        if asked and asked[-1][0] - asked[0][0] > LEGIBLE * (last - first):
            share = sum(found for _, found in asked) / len(asked)
            middle = (asked[0][0] + asked[-1][0]) / 2 / seconds
            axes.text(
                middle, 45, f"{_percent(share)} of {len(asked):,}", ha="center", va="center", color=GREEN
            )


def _percent(share: float) -> str:
    """Say 100 only when it is all."""
    return "100 %" if share == 1 else f"{math.floor(10000 * share) / 100:g} %"


def _draw_copies(axes: Axes, series: Series, seconds: float) -> None:
    axes.set_title("Copies of a name on other living nodes", loc="left", fontsize=12)
    times = [when / seconds for when, _, _ in series.copies]
    axes.plot(times, [mean for _, _, mean in series.copies], color=BLUE, linewidth=2, label="mean")
    fewest = [fewest for _, fewest, _ in series.copies]
    axes.plot(times, fewest, color=RED, linewidth=2, label="fewest of any name")
    if times:
        axes.legend(loc="lower right", frameon=False, ncols=2)
