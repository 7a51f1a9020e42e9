"""Chance that can be repeated."""

import random


def dice(seed: int | str) -> random.Random:
    """Return dice that fall the same way each time for the same seed."""
    return random.Random(seed)  # noqa: S311 - an experiment must be repeatable
