"""Runs the fuzzing of a target. Start it by scripts/fuzz."""

import argparse
import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .parser import MAX_GROWTH_BYTES, Parser
from .targets import TARGETS

STATE = Path(".venv/fuzz")
HANG_SECONDS = 10
EXECUTED = re.compile(r"^stat::number_of_executed_units:\s+(\d+)", re.MULTILINE)


@dataclass
class Row:
    """What came out for one parser."""

    parser: Parser
    guided: int = 0
    corpus: int = 0
    figures: dict[str, Any] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def line(self) -> str:
        """Return it as a line of the table."""
        one = self.figures
        return (
            f"{self.parser.name:<12}{self.guided:>12,}{self.corpus:>8,}{one['inputs']:>12,}{sum(one['exceptions'].values()):>6}"
            f"{one['growth_bytes'] / 1e6:>9.1f}{one['mean_us']:>8.1f} /{self.parser.mean_us:>5.0f}"
            f"{one['worst_us']:>9.0f} /{self.parser.worst_us:>6.0f}"
        )


HEAD = (
    f"{'':<12}{'guided':>12}{'corpus':>8}{'measured':>12}{'exc.':>6}{'MB':>9}{'mean µs':>15}{'worst µs':>17}"
)


def main() -> int:
    """Fuzz, print, and return 1 when a bound is broken."""
    options = arguments()
    chosen = [one for one in TARGETS[options.target] if options.only in (None, one.name)]
    is_guided = importlib.util.find_spec("atheris") is not None and options.seconds > 0
    if not is_guided:
        print("Without guidance by coverage: mutated inputs only.", file=sys.stderr)
    rows = []
    for one in chosen:
        row = Row(one)
        corpus, found = prepare(options.target, one)
        if is_guided:
            print(f"{one.name}: guided by coverage ...", file=sys.stderr)
            guide(options, row, corpus, found, max(1, options.seconds // len(chosen)))
        print(f"{one.name}: measuring ...", file=sys.stderr)
        measure(options, row, corpus, found)
        rows.append(row)
    print("\n".join([HEAD, *(row.line() for row in rows)]))
    broken = [f"{row.parser.name}: {what}" for row in rows for what in row.broken]
    print("\n".join(["", *broken] if broken else ["", "All bounds hold."]))
    return 1 if broken else 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description="Fuzz what reads bytes from the network."
    )
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument(
        "--runs", type=int, default=1_000_000, help="inputs for each parser; 1,000,000 by default"
    )
    parser.add_argument(
        "--seconds", type=int, default=180, help="guided at most so long, all parsers together; 180"
    )
    parser.add_argument("--only", metavar="PARSER", help="one parser of the target")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other inputs")
    options = parser.parse_args()
    names = [one.name for one in TARGETS[options.target]]
    if options.only not in (None, *names):
        parser.error(f"no parser {options.only!r}; there are {', '.join(names)}")
    return options


def prepare(target: str, one: Parser) -> tuple[Path, Path]:
    """Fill the folder of inputs, with those too that raised in earlier runs; return it and the one of findings."""
    corpus, found = STATE / "corpus" / target / one.name, STATE / "found" / target / one.name
    corpus.mkdir(parents=True, exist_ok=True)
    found.mkdir(parents=True, exist_ok=True)
    for data in one.corpus():
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    for path in found.iterdir():
        path.unlink() if path.suffix else path.rename(corpus / path.name)
    return corpus, found


def guide(options: argparse.Namespace, row: Row, corpus: Path, found: Path, seconds: int) -> None:
    """Fuzz one parser by coverage."""
    one = row.parser
    flags = [
        f"-runs={options.runs}",
        f"-max_total_time={seconds}",
        f"-timeout={HANG_SECONDS}",
        "-rss_limit_mb=1024",
    ]
    flags += [
        f"-max_len={one.max_bytes}",
        f"-seed={options.seed}",
        f"-artifact_prefix={found}/",
        "-print_final_stats=1",
    ]
    if one.words:
        words = found.parent / f"{one.name}.words"
        words.write_text("".join(f'"{escaped(word)}"\n' for word in one.words))
        flags.append(f"-dict={words}")
    command = [
        sys.executable,
        "-m",
        "scripts.fuzzing.guided",
        options.target,
        one.name,
        corpus,
        found,
        *flags,
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    executed = EXECUTED.search(done.stderr)
    row.guided = int(executed[1]) if executed else 0
    if done.returncode or not executed:
        last = [line for line in done.stderr.splitlines() if not line.startswith(("INFO:", "WARNING:"))][-20:]
        row.broken.append("\n  ".join([f"the guided run ended with {done.returncode}", *last]))
    row.broken += [f"see {path}" for path in sorted(found.glob("*.txt"))]


def escaped(word: bytes) -> str:
    """Return a word as libFuzzer's dictionaries have it."""
    return "".join(f"\\x{byte:02x}" for byte in word)


def measure(options: argparse.Namespace, row: Row, corpus: Path, found: Path) -> None:
    """Measure one parser in plain Python, and judge."""
    one = row.parser
    row.corpus = len(list(corpus.iterdir()))
    command = [sys.executable, "-m", "scripts.fuzzing.plain", options.target, one.name, corpus, found]
    done = subprocess.run(
        [*command, str(options.runs), str(options.seed)], stdout=subprocess.PIPE, check=True
    )
    row.figures = json.loads(done.stdout)
    row.broken += [f"{count} times {kind}, see {found}" for kind, count in row.figures["exceptions"].items()]
    bounds = (("growth_bytes", MAX_GROWTH_BYTES), ("mean_us", one.mean_us), ("worst_us", one.worst_us))
    row.broken += [
        f"{name} is {row.figures[name]:,.0f}, and {most:,.0f} are allowed"
        for name, most in bounds
        if row.figures[name] > most
    ]


if __name__ == "__main__":
    sys.exit(main())
