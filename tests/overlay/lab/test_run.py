"""Scenarios run: small ones, with what they show."""

import json
from typing import Any

import pytest

from overlay.lab.measure import FEWEST_COPIES, Metrics, Outcome, Series
from overlay.lab.report import Report
from overlay.lab.run import Progress, carry_out
from overlay.lab.scenario import Scenario, load, parse
from overlay.lab.virtual_time import run


def runs(scenario: Scenario, nodes: int | None = None, seed: int = 1) -> Report:
    """Run a scenario and return its report."""
    report = Report(scenario, seed)
    for mesh in scenario.meshes(nodes):
        outcomes, series = run(
            carry_out(mesh, scenario.steps, seed=seed, watch_seconds=scenario.watch_seconds)
        )
        report.runs.append((mesh, outcomes, series))
    return report


def figures(report: Report) -> list[Metrics]:
    """Return what the steps of the last run showed."""
    return [outcome.metrics for outcome in report.runs[-1][1]]


def scenario_of(*steps: dict[str, Any], **mesh: Any) -> Scenario:
    """Return a scenario of these steps."""
    return parse("test", {"mesh": mesh, "step": list(steps), "watch_s": 5.0})


def test_the_same_seed_gives_the_same_report_and_another_seed_another() -> None:
    scenario = scenario_of(
        {"do": "publish", "names": 5},
        {"do": "churn", "session_s": 60.0},
        {"do": "wait", "seconds": 40.0},
        {"do": "resolve", "times": 20, "owners": "alive"},
        {"do": "look"},
        nodes=10,
        loss=0.02,
    )
    first, again, other = runs(scenario), runs(scenario), runs(scenario, seed=2)
    assert first.as_json() == again.as_json()
    assert first.runs[0][2] == again.runs[0][2]
    assert first.as_json()["runs"] != other.as_json()["runs"]


def test_who_dies_is_not_asked_and_names_of_the_dead_are_found() -> None:
    publish, found, look = figures(
        runs(
            scenario_of(
                {"do": "publish", "records": True},
                {"do": "kill", "share": 0.5, "bootstrap": True},
                {"do": "resolve", "times": 30},
                {"do": "look"},
                nodes=26,
            )
        )
    )
    assert publish["copies_min"] > 8
    assert found["success"] == 1
    assert found["requests"] > 1
    assert found["p50_ms"] < found["p99_ms"]
    assert look["dead_contacts"] > 0.2


def test_a_parted_mesh_does_not_find_the_other_sides_news_and_a_minute_after_it_is_joined_it_does() -> None:
    scenario = scenario_of(
        {"do": "publish"},
        {"do": "part"},
        {"do": "wait", "seconds": 200.0},
        {"do": "update"},
        {"do": "resolve", "times": 20, "across": True},
        {"do": "heal"},
        {"do": "wait", "seconds": 60.0},
        {"do": "resolve", "times": 20, "across": True},
        nodes=16,
        k=4,
    )
    _, _, _, parted, _, joined = figures(runs(scenario))
    assert parted["success"] == 0
    assert joined["success"] >= 0.8


def test_churn_replaces_nodes_and_ends_when_told() -> None:
    scenario = scenario_of(
        {"do": "publish", "names": 4},
        {"do": "churn", "session_s": 30.0, "steady": 0.4, "names": False},
        {"do": "wait", "seconds": 60.0},
        {"do": "look"},
        {"do": "churn", "session_s": 0.0},
        {"do": "wait", "seconds": 150.0},
        {"do": "look"},
        nodes=12,
    )
    report = runs(scenario)
    *_, first, calm, last = figures(report)
    assert first["dead_contacts"] > last["dead_contacts"]
    assert calm["bytes_per_s"] > 0
    _, _, series = report.runs[0]
    assert [text for _, text in series.marks] == ["churn", "calm"]
    assert len(series.copies) >= 40


def test_colluders_and_ground_ids_take_some_and_not_all() -> None:
    hostile = scenario_of(
        {"do": "collude", "share": 0.2},
        {"do": "publish", "names": 20},
        {"do": "resolve", "times": 60},
        nodes=300,
        settled=True,
    )
    assert figures(runs(hostile))[-1]["success"] > 0.9
    ground = scenario_of({"do": "grind"}, {"do": "resolve", "times": 60}, nodes=300, settled=True)
    planted, found = figures(runs(ground))
    assert 0 < planted["copies"] < 48
    assert found["success"] > 0.9


def test_a_crawler_learns_what_it_guesses_and_no_more() -> None:
    _, crawled = figures(runs(load("attack-crawl"), nodes=20))
    assert crawled["values_seen"] == 20
    assert crawled["learned_of_guessed"] == 1
    assert crawled["learned_of_others"] == 0


def test_progress_goes_through_every_step() -> None:
    seen: list[Progress] = []
    scenario = scenario_of({"do": "publish"}, {"do": "wait", "seconds": 1.0}, nodes=4)
    run(carry_out(scenario.mesh, scenario.steps, seed=1, on_progress=seen.append))
    assert {progress.step for progress in seen} == {0, 1, 2}
    assert all(0 <= progress.share <= 1 for progress in seen)


def test_a_report_says_what_was_met_and_what_was_missed() -> None:
    scenario = parse(
        "x",
        {
            "title": "Some nodes",
            "step": [
                {"do": "resolve", "expect": {"success": ">= 0.5", "p99_ms": "<= 1", "requests": ">= 1"}}
            ],
        },
    )
    expected = scenario.steps[0].expected
    outcome = Outcome("resolve 3 times", 12.0, {"success": 0.75, "p99_ms": 1234.5}, expected)
    report = Report(scenario, 7, [(scenario.mesh, [outcome], Series())])
    text = report.as_text()
    assert not report.is_met
    assert "met: >= 0.5" in text
    assert "1,234.5   MISSED: <= 1" in text
    assert text.endswith("100 nodes, k = 16, resolve 3 times: requests >= 1")
    step = json.loads(json.dumps(report.as_json()))["runs"][0]["steps"][0]
    assert step["figures"] == {"success": 0.75, "p99_ms": 1234.5}
    assert [e["met"] for e in step["expected"]] == [True, False, False]


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "name", ["40-percent-dead", "attack-grind", "attack-collude-20", "attack-collude-30"]
)
def test_the_large_settled_scenarios_are_as_expected(name: str) -> None:
    report = runs(load(name))
    assert report.is_met, report.as_text()


def test_who_moves_or_was_unplugged_is_found_again_after_some_minutes() -> None:
    *_, found, look = figures(
        runs(
            scenario_of(
                {"do": "publish", "records": True},
                {"do": "unplug", "share": 0.3, "seconds": 60.0},
                {"do": "move", "share": 0.3},
                {"do": "wait", "seconds": 180.0},
                {"do": "resolve", "times": 30},
                {"do": "look"},
                nodes=16,
                k=4,
            )
        )
    )
    assert found["success"] == 1
    assert look["pieces"] == 1


def test_a_crawler_who_guesses_the_names_of_the_unlisted_finds_none() -> None:
    _, crawl = figures(
        runs(scenario_of({"do": "publish", "unlisted": 0.5}, {"do": "crawl", "share": 1.0}, nodes=12))
    )
    assert crawl["learned_of_guessed"] == 1
    assert crawl["learned_of_others"] == 0


def test_buckets_that_are_filled_in_part_know_fewer_and_find_all_the_same() -> None:
    full, sparse = (
        figures(
            runs(
                scenario_of(
                    {"do": "publish", "names": 20},
                    {"do": "resolve", "times": 20},
                    {"do": "look"},
                    nodes=400,
                    settled=True,
                    fill=fill,
                )
            )
        )
        for fill in (1.0, 0.3)
    )
    assert sparse[-1]["contacts"] < full[-1]["contacts"]
    assert sparse[-2]["success"] == full[-2]["success"] == 1


def test_each_step_shows_the_figures_that_it_says() -> None:
    scenario = scenario_of(
        {"do": "publish", "names": 9},
        {"do": "update"},
        {"do": "resolve", "times": 3},
        {"do": "wait", "seconds": 1.0},
        {"do": "look"},
        {"do": "crawl"},
        nodes=4,
        k=2,
    )
    shown = [set(metrics) - {FEWEST_COPIES} for metrics in figures(runs(scenario))]
    assert shown == [set(planned.step.figures) for planned in scenario.steps]


def test_the_fewest_copies_of_a_watched_step_are_shown() -> None:
    watched = scenario_of({"do": "publish"}, {"do": "wait", "seconds": 20.0}, nodes=4)
    assert figures(runs(watched))[-1][FEWEST_COPIES] == 3
