"""A lookup must start at once: the overlay loads nothing heavy."""

import subprocess
import sys

HEAVY = ("aiortc", "aioice", "aiohttp", "zeroconf", "ifaddr", "av", "numpy")


def test_importing_the_overlay_loads_no_heavy_package() -> None:
    code = f"import sys, overlay.overlay; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
