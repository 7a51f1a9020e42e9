"""Scenario files: what they may say, and what is said to who wrote them wrong."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from overlay.lab.nat import NatKind
from overlay.lab.scenario import STEPS, ScenarioError, load, names, parse
from overlay.lab.steps import Resolve
from overlay.lab.world import Mesh


def test_every_scenario_of_ours_can_be_read_and_says_what_it_expects() -> None:
    assert {"40-percent-dead", "large", "churn", "day", "kill-half", "partition", "idle"} <= set(names())
    for name in names():
        scenario = load(name)
        assert scenario.about, name
        assert any(planned.expected for planned in scenario.steps), name


def test_a_file_of_ones_own_is_read_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "Mine"\n[mesh]\nnodes = 7\nnat = { symmetric = 0.5 }\n'
        '[[step]]\ndo = "resolve"\ntimes = 3\nevery_ms = 5\nexpect = { success = ">= 1" }\n'
    )
    scenario = load(str(path))
    assert (scenario.name, scenario.mesh.nodes, scenario.mesh.nat) == ("mine", 7, {NatKind.SYMMETRIC: 0.5})
    assert scenario.steps[0].step == Resolve(times=3, every_ms=5.0)
    assert str(scenario.steps[0].expected[0]) == "success >= 1"


def test_a_sweep_is_every_combination_unless_a_size_is_given() -> None:
    scenario = parse("x", {"sweep": {"nodes": [2, 9], "k": [2, 8]}, "step": [{"do": "heal"}]})
    assert [(mesh.nodes, mesh.k) for mesh in scenario.meshes()] == [(2, 2), (2, 8), (9, 2), (9, 8)]
    assert [(mesh.nodes, mesh.k) for mesh in scenario.meshes(5)] == [(5, 2), (5, 8)]


def test_the_page_on_the_laboratory_names_every_step_with_its_options_and_figures() -> None:
    page = (Path(__file__).parents[3] / "docs" / "lab.md").read_text().partition("## What they show")[0]
    rows = {row.split("|")[1]: row for row in page.splitlines() if row.startswith("|")}
    for name, step in STEPS.items():
        (row,) = (row for cell, row in rows.items() if f"`{name}`" in cell)
        options = [field.name for field in dataclasses.fields(step)]  # type: ignore[arg-type]
        shown = [figure for figure in step.figures if figure not in ("p95_ms", "p99_ms")]
        for word in options + ([] if name == "update" else shown):
            assert f"`{word}`" in row, (name, word)
    for field in dataclasses.fields(Mesh):
        assert any(f"`{field.name}`" in row for row in rows.values()), field.name


HEAL = [{"do": "heal"}]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "nothing happens"),
        ({"step": {"do": "heal"}}, "with two brackets"),
        ({"step": ["heal"]}, "step 1: 'heal' is no table"),
        ({"step": HEAL, "nodes": 5}, "'nodes' is not known"),
        ({"step": HEAL, "title": 5}, "title = 5, but it is a text"),
        ({"step": HEAL, "long": "yes"}, "long = 'yes', but it is true or false"),
        ({"step": HEAL, "watch_s": "often"}, "watch_s = 'often', but it is a number"),
        ({"step": [{"do": "explode"}]}, "it can be publish, update, resolve"),
        ({"step": [{"share": 1}]}, "do = None"),
        (
            {"step": [{"do": "kill", "portion": 0.4}]},
            r"step 1 \(kill\): 'portion' is not known; it can be bootstrap, share",
        ),
        ({"step": [{"do": "kill", "share": "half"}]}, "share = 'half', but it is a number"),
        ({"step": [{"do": "kill", "share": 40}]}, "share = 40.0, but it is a share, from 0 to 1"),
        ({"step": [{"do": "resolve", "times": 1.5}]}, "times = 1.5, but it is a whole number"),
        ({"step": [{"do": "resolve", "times": True}]}, "times = True, but it is a whole number"),
        ({"step": [{"do": "resolve", "times": 0}]}, "times = 0, but it is 1 at least"),
        ({"step": [{"do": "resolve", "owners": "dead"}]}, "it can be any, alive"),
        ({"step": [{"do": "part", "groups": 1}]}, "groups = 1, but it is 2 at least"),
        ({"step": [{"do": "wait", "seconds": -1}]}, "it is 0 at least"),
        ({"step": [{"do": "resolve", "expect": {"p99_ms": "fast"}}]}, "say for example"),
        ({"step": [{"do": "resolve", "expect": {"p99_ms": 600}}]}, "p99_ms = 600: say for example"),
        ({"step": [{"do": "resolve", "expect": ">= 1"}]}, "'>= 1' is no table"),
        (
            {"step": [{"do": "resolve", "expect": {"sucess": ">= 1"}}]},
            "'sucess' is not known; it can be data",
        ),
        ({"step": [{"do": "kill", "expect": {"success": ">= 1"}}]}, "there is nothing to be said here"),
        ({"step": [{"do": "wait", "expect": {"fewest_copies": ">= 1"}}]}, "'fewest_copies' is not known"),
        ({"step": [{"do": "grind"}]}, "it needs a mesh with settled = true"),
        ({"step": [{"do": "churn"}], "mesh": {"settled": True}}, "it needs a mesh with settled = false"),
        ({"step": HEAL, "mesh": 5}, "5 is no table"),
        ({"step": HEAL, "mesh": {"nodes": 0}}, "at least one node"),
        ({"step": HEAL, "mesh": {"k": 0}}, "k from 1 to 64"),
        ({"step": HEAL, "sweep": {"k": [2, 100]}}, r"\[sweep\]: at least one node, k from 1 to 64"),
        ({"step": HEAL, "sweep": {"nodes": 5}}, "nodes = 5, but it is a list of numbers"),
        ({"step": HEAL, "mesh": {"loss": 1.0}}, "loss is from 0 to below 1"),
        ({"step": HEAL, "mesh": {"mean_rtt_ms": 0}}, "mean_rtt_ms above 0"),
        ({"step": HEAL, "mesh": {"per_prefix": 0}}, "per_prefix is from 1"),
        ({"step": HEAL, "mesh": {"fill": 1.5}}, "fill is above 0, and 1 at most"),
        ({"step": HEAL, "mesh": {"nat": {"conical": 0.1}}}, "'conical' is not known"),
        ({"step": HEAL, "mesh": {"nat": {"symmetric": "all"}}}, "symmetric = 'all', but it is a number"),
        ({"step": HEAL, "mesh": {"nat": {"symmetric": 0.6, "full-cone": 0.6}}}, "more than 1 together"),
    ],
)
def test_what_is_wrong_in_a_scenario_is_said(data: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse("x", data)


def test_a_file_that_is_not_there_or_no_toml_is_said(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="fc-lab list"):
        load("chrun")
    broken = tmp_path / "broken.toml"
    for written in (b"title = ", b"\xff"):
        broken.write_bytes(written)
        with pytest.raises(ScenarioError, match=r"broken\.toml"):
            load(str(broken))
