"""Figures, each beside its peers', as a table and as JSON."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

OURS, PEERS = "freecall", ("opendht", "kademlia")
SECTIONS = {
    "resolve": "200 nodes, real sockets, emulated RTT 80 ms (mean); each system with its own k and copies",
    "copies": "the same, with 8 copies for all",
    "cpu": "processor time",
    "idle": "nodes that do nothing",
    "amplification": "bytes that come for each byte of a stranger's question, UDP payloads, within a second",
    "simulated": "simulated networks",
}


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


def table(figures: Iterable[Figure], copies: dict[str, dict[str, dict[str, int]]]) -> str:
    """Return Markdown for people: a table for each section."""
    by_section: dict[str, list[Figure]] = {}
    for figure in figures:
        by_section.setdefault(figure.section, []).append(figure)
    parts = []
    for section, rows in by_section.items():
        lines = [f"### {section}: {SECTIONS[section]}"]
        if section in copies:
            numbers = (
                f"{system} k = {n['k']}, {n['copies']} copies" for system, n in copies[section].items()
            )
            lines.append("; ".join(numbers))
        lines += [
            "| | to reach | Free Call | OpenDHT | plain kademlia | peers / ours |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        lines += [_row(figure) for figure in rows]
        notes = dict.fromkeys(
            f"- {figure.name.split(', ')[0]}: {figure.note}" for figure in rows if figure.note
        )
        parts.append("\n".join([*lines, "", *notes] if notes else lines))
    return "\n\n".join(parts)


def _row(figure: Figure) -> str:
    target = _number(figure.target)
    if figure.is_reached is not None:
        target += " reached" if figure.is_reached else " MISSED"
    values = [_number(figure.values.get(system)) for system in (OURS, *PEERS)]
    ratios = figure.ratios()
    ratio = " / ".join(f"{ratios[peer]:.3g}" if peer in ratios else "-" for peer in PEERS)
    return f"| {figure.name}, {figure.unit} | {target} | {' | '.join(values)} | {ratio} |"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
