"""An emulated network in the namespace that this process was started in.

Every node has an address of its own in 45.0.0.0/8, no two in one /24, and an ordinary socket. Routing sends what they
send into a TUN device, even though all addresses are this machine's; `relay` reads it there, waits, and writes it
back. So every system meets the same delays, whatever it is written in, and nothing in it is changed for the test.
"""

import math
import subprocess
from functools import lru_cache
from random import Random

DEVICE = "wire"
NETWORK = "45.0.0.0/8"
MTU = 65_000  # nothing is fragmented: generous to whoever sends large datagrams
PORT = 4000
MEAN_RTT_SECONDS = 0.080
BASE, MEAN_DISTANCE = 0.15, 0.5214  # the mean distance of two points in a unit square
JITTER = 0.05

_COMMANDS = f"""
link set lo up
tuntap add dev {DEVICE} mode tun
link set {DEVICE} mtu {MTU} txqueuelen 10000 up
route add local {NETWORK} dev lo
route add {NETWORK} dev {DEVICE} table 77
rule add pref 100 lookup local
rule add pref 10 iif lo lookup 77
rule del pref 0
"""
_SETTINGS = {
    "ipv4/conf/all/rp_filter": 0,
    f"ipv4/conf/{DEVICE}/rp_filter": 0,
    f"ipv4/conf/{DEVICE}/accept_local": 1,
    f"ipv6/conf/{DEVICE}/disable_ipv6": 1,
}


def build() -> None:
    """Lay the routes. Only ever in a namespace made for it.

    Raises:
        RuntimeError: there are other interfaces here, so this is somebody's real network.
    """
    links = subprocess.run(["ip", "-brief", "link"], check=True, capture_output=True, text=True).stdout
    if len(links.splitlines()) != 1:
        raise RuntimeError("this is not an empty network namespace; start scripts/bench/overlay instead")
    for line in _COMMANDS.strip().splitlines():
        subprocess.run(["ip", *line.split()], check=True)
    for name, value in _SETTINGS.items():
        with open(f"/proc/sys/net/{name}", "w", encoding="ascii") as setting:
            setting.write(str(value))


def address(number: int) -> str:
    """Return the address of a node: one /24 for each."""
    return f"45.{number >> 8}.{number & 255}.10"


@lru_cache(100_000)
def place(seed: int, number: int) -> tuple[float, float]:
    """Return where in the unit square a node lies."""
    dice = Random(f"{seed}/{number}")
    return dice.random(), dice.random()


def one_way_seconds(seed: int, source: int, target: int, dice: Random) -> float:
    """Return how long a datagram takes: a base, the distance, and some jitter; 40 ms in the mean."""
    distance = math.dist(place(seed, source), place(seed, target))
    share = BASE + (1 - BASE) * distance / MEAN_DISTANCE
    return MEAN_RTT_SECONDS / 2 * share * dice.uniform(1 - JITTER, 1 + JITTER)
