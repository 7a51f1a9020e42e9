"""Figures, each beside its peers', as a table and as JSON."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

OURS = "freecall"


@dataclass(frozen=True)
class Layout:
    """What the table of one benchmark says beside the figures: sections by name, peers by name, in order."""

    sections: dict[str, str]
    peers: dict[str, str]
    intros: dict[str, str] = field(default_factory=dict)


def percentile(samples: Sequence[float], share: float) -> float | None:
    """Return the value below which ``share`` percent of the samples lie (linear between neighbours)."""
    if not samples:
        return None
    ordered = sorted(samples)
    at = (len(ordered) - 1) * share / 100
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


@dataclass
class Figure:
    """One line: what was measured, of whom, and what was to be reached (None: nothing was promised)."""

    section: str
    name: str
    unit: str
    values: dict[str, float | None]
    target: float | None = None
    more_is_better: bool = False
    samples: dict[str, int] = field(default_factory=dict)
    note: str = ""

    @property
    def is_reached(self) -> bool | None:
        """Tell whether our figure reaches the target; None when one of them is missing."""
        ours = self.values.get(OURS)
        if ours is None or self.target is None:
            return None
        return ours >= self.target if self.more_is_better else ours <= self.target

    def ratios(self) -> dict[str, float]:
        """Return for each peer how many times ours its figure is."""
        ours = self.values.get(OURS)
        return {
            peer: round(value / ours, 2)
            for peer, value in self.values.items()
            if peer != OURS and value is not None and ours
        }

    def as_json(self) -> dict[str, Any]:
        """Return everything about it."""
        return {
            "section": self.section,
            "figure": self.name,
            "unit": self.unit,
            "target": self.target,
            "reached": self.is_reached,
            "values": {system: _rounded(value) for system, value in self.values.items()},
            "ratio_to_ours": self.ratios(),
            "samples": self.samples,
            "note": self.note,
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    return {
        "cores": os.cpu_count(),
        "load": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def table(figures: Iterable[Figure], layout: Layout) -> str:
    """Return Markdown for people: a table for each section."""
    by_section: dict[str, list[Figure]] = {}
    for figure in figures:
        by_section.setdefault(figure.section, []).append(figure)
    parts = []
    for section, rows in by_section.items():
        lines = [f"### {section}: {layout.sections[section]}"]
        if section in layout.intros:
            lines.append(layout.intros[section])
        lines += [
            f"| | to reach | Free Call | {' | '.join(layout.peers.values())} | peers / ours |",
            "|---|--:|--:" + "|--:" * len(layout.peers) + "|--:|",
        ]
        lines += [_row(figure, tuple(layout.peers)) for figure in rows]
        notes = dict.fromkeys(
            f"- {figure.name.split(', ')[0]}: {figure.note}" for figure in rows if figure.note
        )
        parts.append("\n".join([*lines, "", *notes] if notes else lines))
    return "\n\n".join(parts)


def publish(figures: Sequence[Figure], layout: Layout, before: dict[str, Any], *, as_json: bool) -> int:
    """Print the figures for people or programs, with the machine as it was before and is now.

    Return the exit status: 1 when a target is missed.
    """
    after = machine()
    if as_json:
        report = {
            "machine": {**before, "load_after": after["load"]},
            "figures": [one.as_json() for one in figures],
        }
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        print(table(figures, layout))
        loads = f"load {before['load'][0]} before, {after['load'][0]} after"
        print(f"\n{before['cores']} cores, {loads}; Python {before['python']}, {before['system']}")
    return 0 if all(one.is_reached is not False for one in figures) else 1


def _row(figure: Figure, peers: Sequence[str]) -> str:
    target = _number(figure.target)
    if figure.is_reached is not None:
        target += " reached" if figure.is_reached else " MISSED"
    values = [_number(figure.values.get(system)) for system in (OURS, *peers)]
    ratios = figure.ratios()
    ratio = " / ".join(f"{ratios[peer]:.3g}" if peer in ratios else "-" for peer in peers)
    return f"| {figure.name}, {figure.unit} | {target} | {' | '.join(values)} | {ratio} |"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
