"""A process for one system: runs what it is told and prints the result as JSON."""

import asyncio
import json
import os
import sys
from typing import Any, NoReturn

from . import cpu, idle, network, scenario
from .relay import Wire


def report_and_leave(result: dict[str, Any]) -> NoReturn:
    """Print the result and end at once: taking hundreds of nodes down in order is not what is measured."""
    print(json.dumps(result), flush=True)
    os._exit(0)


def main() -> None:
    """Run what the arguments name: story, system, and the plan's fields as JSON."""
    story, system, fields = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    if story == "cpu":
        report_and_leave(asyncio.run(cpu.run(system, **fields)))
    if story == "hour":
        from . import hour  # what it simulates with is not needed by the others

        hour.run(**fields, report=report_and_leave)
    network.build()
    with Wire(fields.get("seed", 1)) as wire:
        if story == "idle":
            asyncio.run(idle.run(system, idle.Plan(**fields), wire, report_and_leave))
        else:
            asyncio.run(scenario.run(system, scenario.Plan(**fields), wire, report_and_leave))


if __name__ == "__main__":
    main()
