"""Runs the benchmark of the media path. Start it by scripts/bench/media."""

import argparse
import sys
from collections.abc import Callable

from scripts.bench.report import Figure, Layout, machine, publish

from . import carrying, setting_up

TALK = "50 packets a second each way, PCMU; a leg is one node's part of a call; AEAD_AES_256_GCM"
LAYOUT = Layout(
    sections={
        carrying.DELAY: f"100 legs, two nodes on one core; {TALK}",
        carrying.CAPACITY: f"both nodes on one core, 0 lost, p99 of the added delay at most 10 ms; {TALK}",
        carrying.CORES: "the calls of one process, and shared among a process on each core",
        setting_up.SETUP: "strangers, on loopback; ICE and DTLS begin with the answer",
        setting_up.LEAKS: "calls set up, secured and torn down in one process",
    },
    peers={carrying.RTPENGINE: "rtpengine"},
)
SECTIONS: dict[str, Callable[..., list[Figure]]] = {
    carrying.DELAY: carrying.delay,
    carrying.CAPACITY: carrying.capacity,
    carrying.CORES: carrying.cores,
    setting_up.SETUP: setting_up.setup,
    setting_up.LEAKS: setting_up.leaks,
}


def main() -> int:
    """Measure and print."""
    arguments = argparse.ArgumentParser(
        prog="scripts/bench/media", description="Measure the media path beside rtpengine."
    )
    arguments.add_argument("sections", nargs="*", help="which sections; all by default")
    arguments.add_argument("--json", action="store_true", help="print JSON")
    arguments.add_argument("--quick", action="store_true", help="shorter runs, three minutes")
    options = arguments.parse_args()
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        arguments.error(f"no section {min(unknown)!r}; there are {', '.join(SECTIONS)}")
    before = machine()
    figures: list[Figure] = []
    for name in options.sections or SECTIONS:
        figures += SECTIONS[name](quick=options.quick)
    return publish(figures, LAYOUT, before, as_json=options.json)


if __name__ == "__main__":
    sys.exit(main())
