"""The picture of a run."""

from pathlib import Path

import pytest

from overlay.lab.measure import Series
from overlay.lab.report import Report
from overlay.lab.scenario import parse

plot = pytest.importorskip("overlay.lab.plot", exc_type=ModuleNotFoundError)


@pytest.mark.parametrize(
    "series",
    [
        Series(),
        Series(
            [(1.0, 50.0, True), (2.0, 60.0, False), (900.0, 70.0, True)], [(5.0, 3, 4.5)], [(3.0, "a kill")]
        ),
    ],
)
def test_a_run_is_drawn_as_png_and_as_svg(series: Series, tmp_path: Path) -> None:
    scenario = parse("x", {"step": [{"do": "heal"}]})
    report = Report(scenario, 1, [(scenario.mesh, [], series)])
    plot.draw(report, tmp_path / "run.png")
    plot.draw(report, tmp_path / "run.svg")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    assert "</svg>" in (tmp_path / "run.svg").read_text()
