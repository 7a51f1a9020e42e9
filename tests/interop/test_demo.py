"""The demonstration tells its story and means it."""

from tests.kit.nodes import ROOT
from tests.kit.process import run


async def test_the_demo_ends_well() -> None:
    outcome = await run([str(ROOT / "scripts" / "demo")], cwd=ROOT, timeout=90)
    assert outcome.code == 0, outcome.stdout + outcome.stderr
    assert "Traceback" not in outcome.stderr
