"""Runs the benchmark of the SIP side. Start it by scripts/bench/sip."""

import argparse
import json
import sys
from collections.abc import Callable

from scripts.bench.report import Figure, Layout, machine, table

from . import parser

LAYOUT = Layout(
    sections={
        parser.SECTION: f"one core; an INVITE of {len(parser.INVITE):,} bytes with {len(parser.SDP)} of SDP"
    },
    peers={"kamailio": "Kamailio", "sipmessage": "sipmessage"},
)
SECTIONS: dict[str, Callable[[], list[Figure]]] = {parser.SECTION: parser.measure}


def main() -> int:
    """Measure and print."""
    arguments = argparse.ArgumentParser(
        prog="scripts/bench/sip", description="Measure the SIP side beside Kamailio."
    )
    arguments.add_argument("sections", nargs="*", help="which sections; all by default")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    options = arguments.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        arguments.error(f"no section {min(unknown)!r}; there are {', '.join(SECTIONS)}")
    before = machine()
    figures: list[Figure] = []
    for name in options.sections or SECTIONS:
        figures += SECTIONS[name]()
    after = machine()
    if options.json:
        report = {
            "machine": {**before, "load_after": after["load"]},
            "figures": [one.as_json() for one in figures],
        }
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        print(table(figures, LAYOUT))
        loads = f"load {before['load'][0]} before, {after['load'][0]} after"
        print(f"\n{before['cores']} cores, {loads}; Python {before['python']}, {before['system']}")
    return 0 if all(one.is_reached is not False for one in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
