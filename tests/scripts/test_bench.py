"""What benchmarks print, and that the SIP one runs."""

import json
import sys
from pathlib import Path

import pytest

from scripts.bench.report import OURS, Figure, Layout, machine, percentile, publish, table
from tests.kit.process import run

ROOT = Path(__file__).parents[2]
LAYOUT = Layout(
    sections={"speed": "how fast it is"}, peers={"other": "The Other"}, intros={"speed": "By foot."}
)


def test_a_table_tells_what_was_to_be_reached_and_how_many_times_ours_the_peers_figure_is() -> None:
    reached = Figure("speed", "steps", "1/s", {OURS: 200, "other": 100}, 150, more_is_better=True)
    missed = Figure("speed", "pause", "s", {OURS: 3, "other": None}, 2, note="for breath")
    assert table([reached, missed], LAYOUT).splitlines() == [
        "### speed: how fast it is",
        "By foot.",
        "| | to reach | Free Call | The Other | peers / ours |",
        "|---|--:|--:|--:|--:|",
        "| steps, 1/s | 150 reached | 200 | 100 | 0.5 |",
        "| pause, s | 2 MISSED | 3 | - | - |",
        "",
        "- pause: for breath",
    ]
    assert (reached.as_json()["reached"], missed.as_json()["reached"]) == (True, False)


def test_without_a_target_or_a_figure_nothing_is_reached_or_missed() -> None:
    assert Figure("speed", "steps", "1/s", {OURS: 200}).is_reached is None
    assert Figure("speed", "steps", "1/s", {OURS: None}, 2).is_reached is None


def test_percentiles_lie_between_the_samples() -> None:
    assert percentile([], 50) is None
    assert percentile([3, 1, 2], 50) == 2
    assert percentile([0, 10], 95) == pytest.approx(9.5)


def test_what_is_published_is_for_people_or_for_programs_and_a_missed_target_fails(
    capsys: pytest.CaptureFixture[str],
) -> None:
    missed = [Figure("speed", "pause", "s", {OURS: 3, "other": 1}, 2)]
    assert publish(missed, LAYOUT, machine(), as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["figures"] == [missed[0].as_json()]
    assert publish([Figure("speed", "pause", "s", {OURS: 1}, 2)], LAYOUT, machine(), as_json=False) == 0
    assert "| pause, s | 2 reached | 1 | - | - |" in capsys.readouterr().out


@pytest.mark.interop
@pytest.mark.long
async def test_the_sip_benchmark_registers_phones_without_a_failure() -> None:
    argv = [sys.executable, "-m", "scripts.bench.sip_bench", "--quick", "--json", "registrations"]
    outcome = await run(argv, cwd=ROOT, timeout=120)
    figures = {one["figure"]: one["values"][OURS] for one in json.loads(outcome.stdout)["figures"]}
    (failed,) = (value for name, value in figures.items() if name.startswith("failed"))
    assert failed == 0
