"""The model of the confirmation holds, and falls where a rule is taken away."""

import subprocess
from pathlib import Path

import pytest

COMMAND = Path(__file__).parents[2] / "scripts" / "check-model"


@pytest.mark.interop
def test_no_attacker_gets_a_call_signed_or_the_same_words_on_both_sides() -> None:
    done = subprocess.run([COMMAND], check=False, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("holds (") == 3
    assert done.stdout.count("falls (") == 4
