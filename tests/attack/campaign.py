"""Many attacked calls at once, every attack in turn, and what came of them."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from tests.attack import handshake, later, lies, path
from tests.attack.handshake import weak_handshakes
from tests.attack.rig import NAMES, Attack, Verdict, attacked, hurried

ATTACKS: tuple[type[Attack], ...] = (*path.ATTACKS, *handshake.ATTACKS, *lies.ATTACKS, *later.ATTACKS)
AT_ONCE = 24


@dataclass
class Report:
    """The sum of a campaign."""

    calls: int = 0
    complaints: list[str] = field(default_factory=list)
    said: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    datagrams: int = 0
    plain: int = 0
    compared: int = 0
    first_word_equal: int = 0

    def add(self, attack: Attack, verdict: Verdict) -> None:
        """Count one call."""
        name = type(attack).__name__
        self.calls += 1
        self.complaints += [f"{name}: {what}" for what in verdict.complaints(attack)]
        for side in NAMES:
            self.said[name, side, verdict.said[side][-1] if verdict.said[side] else ""] += 1
        self.datagrams += verdict.datagrams
        self.plain += verdict.plain
        ours, theirs = verdict.words["caller"], verdict.words["callee"]
        if ours and theirs and not attack.intact:
            self.compared += 1
            self.first_word_equal += ours[0] == theirs[0]


async def campaign(
    calls: int, attacks: Sequence[type[Attack]] = ATTACKS, *, at_once: int = AT_ONCE
) -> Report:
    """Play that many calls, the attacks taking turns."""
    report = Report()
    waiting = itertools.islice(itertools.cycle(attacks), calls)

    async def attacker() -> None:
        for kind in waiting:
            attack = kind()
            report.add(attack, await attacked(attack))

    with pytest.MonkeyPatch.context() as patch, weak_handshakes():
        hurried(patch)
        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(attacker())
    return report
