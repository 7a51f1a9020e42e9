"""Scenarios: small files that say what happens to a mesh, and what is expected of it."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from .attacks import Collude, Crawl, Grind
from .measure import FEWEST_COPIES, Expectation
from .nat import NatKind
from .run import Planned, Step
from .steps import Churn, Heal, Kill, Look, Move, Part, Publish, Resolve, Unplug, Update, Wait
from .world import Mesh

FOLDER = Path(__file__).parent / "scenarios"
STEPS: dict[str, type[Step]] = {
    "publish": Publish,
    "update": Update,
    "resolve": Resolve,
    "kill": Kill,
    "part": Part,
    "heal": Heal,
    "move": Move,
    "unplug": Unplug,
    "wait": Wait,
    "look": Look,
    "churn": Churn,
    "collude": Collude,
    "grind": Grind,
    "crawl": Crawl,
}
MIN_K, MAX_K = 1, 64
MAX_PER_PREFIX = 36
KINDS = {float: "a number", int: "a whole number", str: "a text", bool: "true or false"}
LEAST = {"groups": 2, "times": 1, "ids": 1, "every_ms": 0, "seconds": 0, "session_s": 0, "names": 0}
SHARES = {"share", "polite", "steady", "unlisted"}
OWNERS = ("any", "alive")
LIVE_ONLY = ("part", "heal", "move", "unplug", "churn")
SETTLED_ONLY = ("grind",)


class ScenarioError(ValueError):
    """A scenario cannot be used; the text says which line to change."""


@dataclass(frozen=True)
class Scenario:
    """What a file says. ``sweep``: run it for each combination of these sizes and bucket sizes."""

    name: str
    title: str
    about: str
    mesh: Mesh
    steps: tuple[Planned, ...]
    watch_seconds: float = 0.0
    is_long: bool = False
    sweep_nodes: tuple[int, ...] = ()
    sweep_k: tuple[int, ...] = ()

    def meshes(self, nodes: int | None = None) -> list[Mesh]:
        """Return the meshes to run it in; with ``nodes``, of that size."""
        sizes = (nodes,) if nodes else self.sweep_nodes or (self.mesh.nodes,)
        return [replace(self.mesh, nodes=n, k=k) for n, k in product(sizes, self.sweep_k or (self.mesh.k,))]


def names() -> list[str]:
    """Return the names of the scenarios that come with the laboratory."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read a scenario of ours by its name, or a file by its path.

    Raises:
        ScenarioError: there is none, or it says something that the laboratory does not understand.
    """
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScenarioError(
            f"There is no scenario {name!r} ({error.strerror}). `fc-lab list` shows those there are; "
            "or give the path of a .toml file."
        ) from error
    try:
        return parse(path.stem, tomllib.loads(data.decode()))
    except ValueError as error:
        raise ScenarioError(f"{path}: {error}") from error


def parse(name: str, data: Mapping[str, Any]) -> Scenario:
    """Read a scenario from its tables.

    Raises:
        ValueError: something is missing, unknown, or of another type.
    """
    _only(data, {"title", "about", "long", "watch_s", "mesh", "step", "sweep"}, "the scenario")
    mesh = _mesh(_table(data.get("mesh", {}), "[mesh]"))
    tables = data.get("step", [])
    if not isinstance(tables, list):
        raise ScenarioError("write [[step]], with two brackets, above each step")
    if not tables:
        raise ValueError("nothing happens: add a [[step]]")
    watch_seconds = float(_typed(data.get("watch_s", 0.0), float, "watch_s"))
    steps = tuple(
        _step(f"step {number}", _table(table, f"step {number}"), mesh, watched=watch_seconds > 0)
        for number, table in enumerate(tables, 1)
    )
    sweep = _table(data.get("sweep", {}), "[sweep]")
    _only(sweep, {"nodes", "k"}, "[sweep]")
    scenario = Scenario(
        name,
        _typed(data.get("title", name), str, "title"),
        _typed(data.get("about", ""), str, "about").strip(),
        mesh,
        steps,
        watch_seconds=watch_seconds,
        is_long=_typed(data.get("long", False), bool, "long"),
        sweep_nodes=_numbers(sweep, "nodes"),
        sweep_k=_numbers(sweep, "k"),
    )
    for each in scenario.meshes():
        _check_size(each, "[sweep]" if sweep else "[mesh]")
    return scenario


def _mesh(table: Mapping[str, Any]) -> Mesh:
    options = dict(table)
    kinds = {kind.value: kind for kind in NatKind}
    nat = _table(options.pop("nat", {}), "[mesh.nat]")
    _only(nat, set(kinds), "[mesh.nat]")
    shares = {kinds[kind]: _share(share, f"[mesh.nat]: {kind}") for kind, share in nat.items()}
    if sum(shares.values()) > 1:
        raise ValueError("[mesh.nat]: the shares are more than 1 together")
    mesh = Mesh(**_checked(Mesh, options, "[mesh]"), nat=shares)
    if not 0 < mesh.fill <= 1:
        raise ValueError("[mesh]: fill is above 0, and 1 at most")
    if not 0 <= mesh.loss < 1 or mesh.mean_rtt_ms <= 0:
        raise ValueError("[mesh]: loss is from 0 to below 1, mean_rtt_ms above 0")
    if not 1 <= mesh.per_prefix <= MAX_PER_PREFIX:
        raise ValueError(f"[mesh]: per_prefix is from 1 to {MAX_PER_PREFIX}")
    return mesh


def _check_size(mesh: Mesh, where: str) -> None:
    if mesh.nodes < 1 or not MIN_K <= mesh.k <= MAX_K:
        raise ValueError(f"{where}: at least one node, k from {MIN_K} to {MAX_K}")


def _step(where: str, table: Mapping[str, Any], mesh: Mesh, *, watched: bool) -> Planned:
    options = dict(table)
    does = options.pop("do", None)
    if does not in STEPS:
        raise ValueError(f"{where}: do = {does!r}; it can be {', '.join(STEPS)}")
    where = f"{where} ({does})"
    if does in (LIVE_ONLY if mesh.settled else SETTLED_ONLY):
        raise ValueError(f"{where}: it needs a mesh with settled = {str(not mesh.settled).lower()}")
    expected = _table(options.pop("expect", {}), f"{where}: expect")
    step = STEPS[does](**_checked(STEPS[does], options, where))
    shown = {*step.figures, FEWEST_COPIES} if step.figures and watched else {*step.figures}
    _only(expected, shown, f"{where}: expect")
    return Planned(step, tuple(Expectation.parse(figure, text) for figure, text in expected.items()))


def _checked(what: Any, options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Compare options with a dataclass: their names, the types of its defaults, and what is possible."""
    fields = {field.name: field for field in dataclasses.fields(what) if field.name != "nat"}
    _only(options, set(fields), where)
    checked = {
        name: _typed(value, type(fields[name].default), f"{where}: {name}") for name, value in options.items()
    }
    for name, value in checked.items():
        if name in SHARES:
            _share(value, f"{where}: {name}")
        if value < LEAST.get(name, value):
            raise ValueError(f"{where}: {name} = {value!r}, but it is {LEAST[name]} at least")
        if name == "owners" and value not in OWNERS:
            raise ValueError(f"{where}: owners = {value!r}; it can be {', '.join(OWNERS)}")
    return checked


def _typed(value: Any, wanted: type, where: str) -> Any:
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is not wanted:
        raise ValueError(f"{where} = {value!r}, but it is {KINDS[wanted]}")
    return value


def _share(value: Any, where: str) -> float:
    share = _typed(value, float, where)
    if not 0 <= share <= 1:
        raise ValueError(f"{where} = {value!r}, but it is a share, from 0 to 1")
    return float(share)


def _table(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ScenarioError(f"{where}: {value!r} is no table")
    return value


def _numbers(sweep: Mapping[str, Any], name: str) -> tuple[int, ...]:
    values = sweep.get(name, [])
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise ValueError(f"[sweep]: {name} = {values!r}, but it is a list of numbers")
    return tuple(values)


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in table:
        if name not in known:
            can_be = f"it can be {', '.join(sorted(known))}" if known else "there is nothing to be said here"
            raise ValueError(f"{where}: {name!r} is not known; {can_be}")
