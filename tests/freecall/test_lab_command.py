"""The command fc-lab."""

import json
import sys
from pathlib import Path

import pytest

from freecall.cli import lab

SMALL = """
title = "Small"
about = "Four nodes."
[mesh]
nodes = 4
[[step]]
do = "publish"
names = 2
expect = { copies = ">= %s" }
"""


def fc_lab(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run the command; return its exit status."""
    monkeypatch.setattr(sys, "argv", ["fc-lab", *arguments])
    try:
        lab.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    """Return a small scenario's path."""
    path = tmp_path / "small.toml"
    path.write_text(SMALL % 3)
    return path


def test_list_shows_every_scenario(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fc_lab(monkeypatch, "list") == 0
    *rows, _, hint = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["SCENARIO", "NODES", "WHAT", "HAPPENS"]
    assert "40-percent-dead      10,000  40 % of 10,000 nodes are dead" in rows
    assert any(row.startswith("no-storm") and " 2 to 300 " in row for row in rows)
    assert any(row.startswith("day") and row.endswith("(takes long)") for row in rows)
    assert "fc-lab run SCENARIO" in hint


def test_a_run_prints_a_table_and_whether_all_was_as_expected(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fc_lab(monkeypatch, "run", str(scenario)) == 0
    printed = capsys.readouterr()
    assert "4 nodes, joined one by one, k = 16, seed 1" in printed.out
    assert "met: >= 3" in printed.out
    assert printed.err == ""  # no progress bar where nobody watches
    scenario.write_text(SMALL % 5)
    assert fc_lab(monkeypatch, "run", str(scenario)) == 1
    assert "MISSED: >= 5" in capsys.readouterr().out


def test_json_nodes_and_seed(
    scenario: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fc_lab(monkeypatch, "run", str(scenario), "--json", "--nodes", "1_2", "--seed", "9") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["seed"], report["runs"][0]["nodes"], report["met"]) == (9, 12, True)


def test_a_plot_is_written(scenario: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    assert fc_lab(monkeypatch, "run", str(scenario), "--plot", str(tmp_path / "run.svg")) == 0
    assert (tmp_path / "run.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "nonsense"], "There is no scenario 'nonsense'"),
        (["run", "idle", "--plot", "run.jpeg"], "a plot is a .png or an .svg file"),
        (["run", "idle", "--plot", "/nowhere/run.png"], "there is no folder /nowhere"),
        (["run", "idle", "--nodes", "many"], "'many' is no number of nodes"),
        (["run", "idle", "--nodes", "0"], "'0' is no number of nodes"),
        (["run", "idle", "--seed", "lucky"], "'lucky' is no seed: any whole number is"),
        ([], "required"),
    ],
)
def test_what_was_typed_wrong_is_said_before_anything_runs(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fc_lab(monkeypatch, *arguments) == 2
    assert says in capsys.readouterr().err


def test_without_matplotlib_it_is_said_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.delitem(sys.modules, "overlay.lab.plot", raising=False)
    assert fc_lab(monkeypatch, "run", "idle", "--plot", "run.png") == 2
    assert "pip install 'freecall[lab]'" in capsys.readouterr().err
