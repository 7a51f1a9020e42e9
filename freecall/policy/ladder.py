"""The ladder: who rings, who is told to write, who has to work first. Pure: the clock's reading is passed in."""

import enum
import math
from dataclasses import dataclass
from typing import Literal

from .budget import HOUR, Budget
from .puzzle import LEAST_BITS, MOST_BITS

Strangers = Literal["ring", "message", "refuse", "work"]
Anonymous = Literal["stranger", "ring", "refuse", "work"]


class Rung(enum.Enum):
    """How well a caller is known here."""

    CONTACT = "contact"
    INTRODUCED = "introduced"
    CALLED = "called"
    STRANGER = "stranger"
    ANONYMOUS = "anonymous"


class Answer(enum.Enum):
    """What becomes of a call."""

    RING = "ring"
    WAIT = "wait"
    MESSAGE = "message"
    REFUSE = "refuse"
    REFUSE_ANONYMOUS = "refuse anonymous"
    WORK = "work"


@dataclass(frozen=True)
class Verdict:
    """The answer; with `WAIT` the `seconds` until it may be another, with `WORK` how many zero `bits` are asked for."""

    answer: Answer
    seconds: float = 0.0
    bits: int = 0


class Pressure:
    """How many strangers have called lately: a count of which half is forgotten in half an hour."""

    def __init__(self, half_life: float = HOUR / 2) -> None:
        self._half_life = half_life
        self._count = 0.0
        self._at = 0.0

    def add(self, now: float) -> None:
        """Count one."""
        self._count = self.count(now) + 1
        self._at = now

    def count(self, now: float) -> float:
        """Return the count as of now."""
        return self._count * math.exp2((self._at - now) / self._half_life)


class Ladder:
    """Judges callers whom nobody has blocked. Anonymous ones are strangers, unless they get a rule of their own."""

    def __init__(self, strangers: Strangers, budget: Budget, anonymous: Anonymous = "stranger") -> None:
        self._rules: dict[Rung, Strangers] = {
            Rung.STRANGER: strangers,
            Rung.ANONYMOUS: strangers if anonymous == "stranger" else anonymous,
        }
        self._budget = budget
        self._pressure = Pressure()

    def judge(
        self,
        rung: Rung,
        fingerprint: str,
        host: str,
        now: float,
        *,
        proof: str = "",
        has_worked: bool = False,
        call: object | None = None,
    ) -> Verdict:
        """Return what becomes of a call, and count it if it is a stranger's.

        `host` is the IP address that it comes from. `proof` is what the caller paid with; `has_worked` tells
        that it is a good one. `call` is what `give_back` knows it by.
        """
        rule = self._rules.get(rung)
        if rule is None:
            return Verdict(Answer.RING)
        self._pressure.add(now)
        if rule == "message":
            return Verdict(Answer.MESSAGE)
        if rule == "refuse":
            return Verdict(Answer.REFUSE if rung is Rung.STRANGER else Answer.REFUSE_ANONYMOUS)
        if wait := self._budget.wait(fingerprint, host, now):
            return Verdict(Answer.WAIT, seconds=wait)
        if rule == "work" and (not has_worked or self._budget.is_spent(proof)):
            return Verdict(Answer.WORK, bits=self.bits(now))
        self._budget.take(fingerprint, host, now, proof, call)
        return Verdict(Answer.RING)

    def give_back(self, call: object) -> None:
        """Take back the ring of a stranger who turned out not to be the one they said."""
        self._budget.give_back(call)

    def bits(self, now: float) -> int:
        """Return how hard a puzzle is now: one bit more for each doubling of the strangers that came lately."""
        harder = int(math.log2(1 + self._pressure.count(now) / 2))
        return min(LEAST_BITS + harder, MOST_BITS)
