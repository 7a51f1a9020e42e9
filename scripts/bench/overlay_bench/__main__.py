"""Runs the overlay's benchmark. Start it by scripts/bench/overlay."""

import argparse
import json
import sys

from scripts.bench.report import machine, table

from .stages import Bench


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench/overlay", description="Measure the overlay beside OpenDHT and plain kademlia."
    )
    bench = Bench(quick="--quick" in sys.argv)
    known = bench.sections()
    parser.add_argument("sections", nargs="*", help="which sections; all by default, without copies if quick")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--quick", action="store_true", help="fewer samples, two minutes")
    options = parser.parse_args()
    unknown = set(options.sections) - set(known)
    if unknown:
        parser.error(f"no section {min(unknown)!r}; there are {', '.join(known)}")
    wanted = options.sections or [name for name in known if not (options.quick and name == "copies")]
    before = machine()
    for name in wanted:
        known[name]()
    after = machine()
    if options.json:
        report = {
            "machine": {**before, "load_after": after["load"]},
            "quick": options.quick,
            "figures": [
                {**one.as_json(), "systems": bench.copies.get(one.section, {})} for one in bench.figures
            ],
        }
        print(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        print(table(bench.figures, bench.layout()))
        loads = f"load {before['load'][0]} before, {after['load'][0]} after"
        print(f"\n{before['cores']} cores, {loads}; Python {before['python']}, {before['system']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
