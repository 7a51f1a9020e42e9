"""A run as a table, and as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .measure import Outcome, Series
from .scenario import Scenario
from .world import Mesh


@dataclass
class Report:
    """All runs of one scenario: for each mesh what the steps showed."""

    scenario: Scenario
    seed: int
    runs: list[tuple[Mesh, list[Outcome], Series]] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        """Tell whether all was as expected."""
        return not any(outcome.missed for _, outcomes, _ in self.runs for outcome in outcomes)

    def as_json(self) -> dict[str, Any]:
        """Return everything, ready to be written as JSON; the same for the same seed."""
        return {
            "scenario": self.scenario.name,
            "title": self.scenario.title,
            "seed": self.seed,
            "met": self.is_met,
            "runs": [
                {
                    "nodes": mesh.nodes,
                    "k": mesh.k,
                    "mean_rtt_ms": mesh.mean_rtt_ms,
                    "loss": mesh.loss,
                    "built": "settled" if mesh.settled else "joined",
                    "steps": [_step_as_json(outcome) for outcome in outcomes],
                }
                for mesh, outcomes, _ in self.runs
            ],
        }

    def as_text(self) -> str:
        """Return the tables."""
        lines = [self.scenario.title]
        if self.scenario.about:
            lines += ["", *self.scenario.about.splitlines()]
        for mesh, outcomes, _ in self.runs:
            built = "settled" if mesh.settled else "joined one by one"
            lines += ["", f"{mesh.nodes:,} nodes, {built}, k = {mesh.k}, seed {self.seed}"]
            for outcome in outcomes:
                lines += ["", f"  {outcome.step} (until {outcome.at:,.0f} s)", *_rows(outcome)]
        lines += ["", "All as expected." if self.is_met else _missed(self.runs)]
        return "\n".join(lines)


def _rows(outcome: Outcome) -> list[str]:
    expected = {expectation.figure: expectation for expectation in outcome.expected}
    names = [*outcome.metrics, *(name for name in expected if name not in outcome.metrics)]
    rows = []
    for name in names:
        row = f"    {name:22}{_number(outcome.metrics.get(name, math.nan)):>10}"
        wanted = expected.get(name)
        if wanted is not None:
            verdict = "met" if wanted.is_met(outcome.metrics) else "MISSED"
            row += f"   {verdict}: {wanted.sign} {wanted.bound:g}"
        rows.append(row)
    return rows


def _missed(runs: Sequence[tuple[Mesh, list[Outcome], Series]]) -> str:
    missed = [
        f"  {mesh.nodes:,} nodes, k = {mesh.k}, {outcome.step}: {expectation}"
        for mesh, outcomes, _ in runs
        for outcome in outcomes
        for expectation in outcome.missed
    ]
    return "\n".join(["Not as expected:", *missed])


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    if value == int(value):
        return f"{value:,.0f}"
    return f"{value:,.1f}" if value >= 10 else f"{value:.4g}"


def _step_as_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "step": outcome.step,
        "until_s": round(outcome.at, 3),
        "figures": {
            name: None if math.isnan(value) else round(value, 6) for name, value in outcome.metrics.items()
        },
        "expected": [
            {"figure": e.figure, "is": f"{e.sign} {e.bound:g}", "met": e.is_met(outcome.metrics)}
            for e in outcome.expected
        ],
    }
