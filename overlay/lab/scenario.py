"""Scenarios: small files that say what happens to a mesh, and what is expected of it."""

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from .attacks import Collude, Crawl, Grind
from .measure import Expectation
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
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ScenarioError(
            f"There is no scenario {name!r} ({error.strerror}). `fc-lab list` shows those there are; "
            "or give the path of a .toml file."
        ) from error
    try:
        return parse(path.stem, tomllib.loads(text))
    except (tomllib.TOMLDecodeError, ValueError, TypeError) as error:
        raise ScenarioError(f"{path}: {error}") from error


def parse(name: str, data: Mapping[str, Any]) -> Scenario:
    """Read a scenario from its tables.

    Raises:
        ValueError: something is missing, unknown, or of another type.
    """
    _only(data, {"title", "about", "long", "watch_s", "mesh", "step", "sweep"}, "the scenario")
    sweep = data.get("sweep", {})
    _only(sweep, {"nodes", "k"}, "[sweep]")
    steps = tuple(_step(number, table) for number, table in enumerate(data.get("step", ()), 1))
    if not steps:
        raise ValueError("nothing happens: add a [[step]]")
    return Scenario(
        name,
        str(data.get("title", name)),
        str(data.get("about", "")).strip(),
        _mesh(data.get("mesh", {})),
        steps,
        watch_seconds=float(data.get("watch_s", 0.0)),
        is_long=bool(data.get("long", False)),
        sweep_nodes=tuple(int(n) for n in sweep.get("nodes", ())),
        sweep_k=tuple(int(k) for k in sweep.get("k", ())),
    )


def _mesh(table: Mapping[str, Any]) -> Mesh:
    options = dict(table)
    kinds = {kind.value: kind for kind in NatKind}
    nat = options.pop("nat", {})
    _only(nat, set(kinds), "[mesh.nat]")
    mesh = Mesh(
        **_checked(Mesh, options, "[mesh]"), nat={kinds[kind]: float(share) for kind, share in nat.items()}
    )
    if not 0 < mesh.fill <= 1:
        raise ValueError("[mesh]: fill is above 0, and 1 at most")
    if mesh.nodes < 1 or not MIN_K <= mesh.k <= MAX_K or not 0 <= mesh.loss < 1:
        raise ValueError(f"[mesh]: at least one node, k from {MIN_K} to {MAX_K}, loss from 0 to below 1")
    return mesh


def _step(number: int, table: Mapping[str, Any]) -> Planned:
    options = dict(table)
    where = f"step {number}"
    does = options.pop("do", None)
    expected = options.pop("expect", {})
    if does not in STEPS:
        raise ValueError(f"{where}: do = {does!r}; it can be {', '.join(STEPS)}")
    step = STEPS[does](**_checked(STEPS[does], options, where))
    return Planned(step, tuple(Expectation.parse(figure, text) for figure, text in expected.items()))


def _checked(what: Any, options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Compare options with a dataclass: their names, and the types of its defaults."""
    fields = {field.name: field for field in dataclasses.fields(what) if field.name != "nat"}
    _only(options, set(fields), where)
    checked: dict[str, Any] = {}
    for name, value in options.items():
        wanted = type(fields[name].default)
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise ValueError(f"{where}: {name} = {value!r}, but it is of the type {wanted.__name__}")
        checked[name] = value
    return checked


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for name in table:
        if name not in known:
            raise ValueError(f"{where}: {name!r} is not known; it can be {', '.join(sorted(known))}")
