"""What a run has shown: times, shares, copies, bytes; and whether that is what was expected of it."""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

Metrics = dict[str, float]
TIMES = ("p50_ms", "p95_ms", "p99_ms", "max_ms")
FEWEST_COPIES = "fewest_copies"

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "==": operator.eq,
}
_EXPECTATION = re.compile(r"(<=|>=|<|>|==) ?(\d+(?:\.\d+)?)")


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of all do not exceed (nearest rank); NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def times_ms(values: Sequence[float]) -> Metrics:
    """Return the percentiles of some times in milliseconds."""
    return {
        name: percentile(values, share) for name, share in zip(TIMES, (0.50, 0.95, 0.99, 1.0), strict=True)
    }


def mean(values: Sequence[float]) -> float:
    """Return the mean; NaN of none."""
    return sum(values) / len(values) if values else math.nan


@dataclass(frozen=True)
class Expectation:
    """What a figure should be: ``p99_ms <= 600``."""

    figure: str
    sign: str
    bound: float

    @classmethod
    def parse(cls, figure: str, text: object) -> "Expectation":
        """Read ``<= 600``.

        Raises:
            ValueError: it is something else.
        """
        matched = _EXPECTATION.fullmatch(text) if isinstance(text, str) else None
        if matched is None:
            raise ValueError(f"{figure} = {text!r}: say for example {figure} = '<= 600'")
        return cls(figure, matched[1], float(matched[2]))

    def is_met(self, metrics: Mapping[str, float]) -> bool:
        """Tell whether the figure was measured and is as expected."""
        got = metrics.get(self.figure, math.nan)
        return _COMPARE[self.sign](got, self.bound)

    def __str__(self) -> str:
        return f"{self.figure} {self.sign} {self.bound:g}"


@dataclass(frozen=True)
class Outcome:
    """What one step showed, at which virtual time it ended."""

    step: str
    at: float
    metrics: Metrics
    expected: tuple[Expectation, ...] = ()

    @property
    def missed(self) -> list[Expectation]:
        """The expectations that were not met."""
        return [expectation for expectation in self.expected if not expectation.is_met(self.metrics)]


@dataclass
class Series:
    """Figures over virtual time: each resolve (when, milliseconds, found?), each look at the copies of names."""

    resolves: list[tuple[float, float, bool]] = field(default_factory=list)
    copies: list[tuple[float, float, float]] = field(default_factory=list)
    """When, fewest of any name, mean."""
    marks: list[tuple[float, str]] = field(default_factory=list)
    """When something happened: a kill, a partition."""

    def fewest_copies(self, since: float) -> Metrics:
        """Return the fewest copies that any watched name had at any look since then; nothing if nobody looked."""
        looks = [fewest for when, fewest, _ in self.copies if when >= since]
        return {FEWEST_COPIES: min(looks)} if looks else {}
