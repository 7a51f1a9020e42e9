"""docs/attacks.md says what the rig plays."""

import re
import runpy
from pathlib import Path

from tests.attack.campaign import ATTACKS

ROOT = Path(__file__).parents[2]
DRAWER = runpy.run_path(str(ROOT / "scripts" / "draw_attacks.py"), run_name="drawer")


def test_the_page_is_drawn_from_the_attacks() -> None:
    assert DRAWER["page"]() == DRAWER["PAGE"].read_text(encoding="utf-8")


def test_the_page_names_no_attack_that_does_not_exist() -> None:
    published = DRAWER["PAGE"].read_text(encoding="utf-8").split("## Published")[1].split("\n## ")[0]
    named = set(re.findall(r"`([A-Z]\w+)`", published))
    assert named
    assert named <= {attack.__name__ for attack in ATTACKS}
