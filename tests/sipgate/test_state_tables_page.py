"""The page on SIP transactions shows the tables that the code runs on."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "draw_state_tables.py"


def test_the_page_is_drawn_from_the_tables_of_today() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], check=False, timeout=30)
    assert done.returncode == 0, f"run {SCRIPT.name} and commit the page"
