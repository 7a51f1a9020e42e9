"""The commands: fc-node, fc-lookup, fc-call, fc-calls, fc-trust, fc-bootstrap, fc-lab."""

import argparse
import sys
from pathlib import Path
from typing import NoReturn

from freecall import __version__

USAGE_ERROR = 2


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with what all commands share: --data and --version."""
    made = argparse.ArgumentParser(prog=name, description=description)
    made.add_argument(
        "--data",
        metavar="DIR",
        type=Path,
        help="the node's folder (default: freecall in your data directory)",
    )
    made.add_argument("--version", action="version", version=f"{name} {__version__}")
    return made


def say(text: str) -> None:
    """Print a line of the command's result."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Print a line about what went wrong."""
    print(text, file=sys.stderr, flush=True)


def give_up(text: str, status: int) -> NoReturn:
    """Say what went wrong and end the command."""
    complain(text)
    raise SystemExit(status)
