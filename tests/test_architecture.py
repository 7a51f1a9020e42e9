"""The layering rules, checked. ARCHITECTURE.md gives the reasons."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAX_LINES = 400

ALLOWED: dict[str, set[str]] = {
    "overlay": set(),
    "sipgate": set(),
    "media": set(),
    "trust": set(),
    "freecall": {"overlay", "sipgate", "media", "trust"},
}
IMPURE = {"asyncio", "socket", "ssl", "time", "random", "threading", "logging", "os", "secrets", "subprocess"}
CATCH_ALL = {"freecall/supervise.py"}


def sources(folder: str = "") -> Iterator[tuple[str, str, ast.Module]]:
    """Yield (package, path, syntax tree) for each production module."""
    for package in ALLOWED:
        for path in sorted((ROOT / package / folder).rglob("*.py")):
            yield package, str(path.relative_to(ROOT)), ast.parse(path.read_text())


def imported(tree: ast.Module) -> set[str]:
    """Return the top-level names that a module imports absolutely."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").partition(".")[0])
    return names


def climbs_out(path: str, tree: ast.Module) -> bool:
    """Tell whether a module under protocol/ reaches above protocol/ relatively."""
    inside = len(Path(path).parts) - 2
    return any(isinstance(node, ast.ImportFrom) and node.level > inside for node in ast.walk(tree))


def test_packages_import_only_downwards() -> None:
    for package, path, tree in sources():
        wrong = imported(tree) & (set(ALLOWED) - ALLOWED[package] - {package})
        assert not wrong, f"{path} must not import {sorted(wrong)}"


def test_protocol_modules_do_no_io() -> None:
    for package, path, tree in sources("protocol"):
        absolute = {
            node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None
        }
        outside = {
            m for m in absolute if m.partition(".")[0] == package and not m.startswith(f"{package}.protocol")
        }
        wrong = (imported(tree) & IMPURE) | outside
        assert not wrong, f"{path} is pure; it imports {sorted(wrong)}"
        assert not climbs_out(path, tree), f"{path} is pure; it imports from outside protocol/"


def test_files_stay_small() -> None:
    for _, path, _ in sources():
        lines = len((ROOT / path).read_text().splitlines())
        assert lines <= MAX_LINES, f"{path} has {lines} lines; split it by concept"


@pytest.mark.parametrize("heavy", ["aiortc", "aioice", "av", "aiohttp", "zeroconf"])
def test_a_lookup_never_imports_what_it_does_not_need(heavy: str) -> None:
    """`fc-lookup` answers at once: nothing that it reaches at import time is heavy."""
    seen: set[str] = set()
    todo = [ROOT / "freecall" / "cli" / "lookup.py"]
    while todo:
        path = todo.pop()
        if not path.exists() or str(path) in seen:
            continue
        seen.add(str(path))
        for name in top_level_imports(path):
            assert name.partition(".")[0] != heavy, f"{path} imports {heavy} on the way to fc-lookup"
            if name.partition(".")[0] in ALLOWED:
                stem = ROOT / Path(*name.split("."))
                todo += [stem.with_suffix(".py"), stem / "__init__.py"]


def top_level_imports(path: Path) -> set[str]:
    """Return dotted names imported when the module is loaded (not inside functions), relative ones resolved."""
    here = path.relative_to(ROOT).with_suffix("").parts
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = here[: len(here) - node.level] if node.level else ()
            base = ".".join((*above, node.module or "")).strip(".")
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names
