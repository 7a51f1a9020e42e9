"""Runs the benchmark of the SIP side. Start it by scripts/bench/sip."""

import argparse
import sys
from collections.abc import Callable

from scripts.bench.report import Figure, Layout, machine, publish

from . import delay, load, parser

LAYOUT = Layout(
    sections={
        parser.SECTION: f"one core; an INVITE of {len(parser.INVITE):,} bytes, {len(parser.SDP)} of them SDP",
        load.REGISTRATIONS: f"REGISTER with digest over UDP, {load.USERS:,} phones, one core",
        load.CALLS: "INVITE with digest, 180, 200, ACK, BYE between phones of one node over UDP, one core",
        load.OVERLOAD: "the same calls, more of them than can be served",
        load.STANDING: "calls that stand",
        delay.SECTION: "from the INVITE with credentials to 180, two nodes on loopback, TLS and ICE between them",
    },
    peers={"kamailio": "Kamailio", "sipmessage": "sipmessage"},
)


def sections(*, quick: bool) -> dict[str, Callable[[], list[Figure]]]:
    """Return what can be measured."""
    return {
        parser.SECTION: parser.measure,
        load.REGISTRATIONS: lambda: load.registrations(quick=quick),
        delay.SECTION: lambda: delay.measure(quick=quick),
        load.CALLS: lambda: load.calls(quick=quick),
        load.OVERLOAD: lambda: load.overload(quick=quick),
        load.STANDING: lambda: load.standing(quick=quick),
    }


def main() -> int:
    """Measure and print."""
    arguments = argparse.ArgumentParser(
        prog="scripts/bench/sip", description="Measure the SIP side beside Kamailio."
    )
    arguments.add_argument("sections", nargs="*", help="which sections; all by default")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    arguments.add_argument("--quick", action="store_true", help="shorter runs, three minutes")
    options = arguments.parse_args()
    known = sections(quick=options.quick)
    unknown = set(options.sections) - set(known)
    if unknown:
        arguments.error(f"no section {min(unknown)!r}; there are {', '.join(known)}")
    before = machine()
    figures: list[Figure] = []
    for name in options.sections or known:
        figures += known[name]()
    return publish(figures, LAYOUT, before, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
