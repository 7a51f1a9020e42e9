"""A run: the steps of a scenario, one after the other, in a world of their own."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, ClassVar, Protocol, Self

from overlay.errors import Isolated
from overlay.jobs import Jobs

from .measure import Expectation, Metrics, Outcome, Series
from .node import LabNode
from .world import Mesh, Name, World

MAX_WATCHED = 50


@dataclass(frozen=True)
class Progress:
    """How far a run is: which step of how many, how much of it is done (0 to 1), what it is."""

    step: int
    steps: int
    share: float
    text: str


class Step(Protocol):
    """Something that happens in a scenario. ``figures`` are the names of those that it shows."""

    figures: ClassVar[tuple[str, ...]]

    async def run(self, lab: "Run") -> Metrics:
        """Do it; return what it showed."""
        ...

    def __str__(self) -> str:
        """Return what it does, in a few words."""
        ...


@dataclass
class Found:
    """What one resolve brought."""

    ms: float
    right: bool
    asked: int = 0
    isolated: bool = False


@dataclass
class Run:
    """A mesh under experiment."""

    world: World
    watch_seconds: float = 0.0
    series: Series = field(default_factory=Series)
    churn: int = 0
    """Which churn is under way: a later one ends it."""
    on_progress: Callable[[float], None] = lambda _share: None
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    _jobs: Jobs = field(default_factory=Jobs)

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.world)
        await self._stack.enter_async_context(self._jobs)
        if self.watch_seconds:
            self._jobs.start(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def dice(self) -> random.Random:
        """The chance of this run."""
        return self.world.dice

    def beside(self, job: Coroutine[Any, Any, None]) -> None:
        """Begin something that goes on beside the next steps."""
        self._jobs.start(job)

    def mark(self, text: str) -> None:
        """Note on the time axis that something happened."""
        self.series.marks.append((self.world.now, text))

    async def resolve(self, name: Name, asker: LabNode, *, known: bool) -> Found:
        """Let a node look a name up; ``known``: it has talked to the owner before, and names its key."""
        began = self.world.now
        overlay = await self.world.acting(asker)
        key = name.owner.key.public_key if known else b""
        try:
            got = await overlay.resolve(name.uri, key)
        except Isolated:
            found = Found((self.world.now - began) * 1000, right=False, isolated=True)
        else:
            right = any(claim.claim == name.claim() for claim in got.claims)
            found = Found(got.elapsed_ms, right, got.asked)
        self.series.resolves.append((began, found.ms, found.right))
        return found

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(self.watch_seconds)
            self.look()

    def look(self) -> list[int]:
        """Count the copies of up to 50 names whose owners live, and note them."""
        names = [name for name in self.world.names if name.owner.alive and name.is_published][:MAX_WATCHED]
        counts = [self.world.copies(name) for name in names]
        if counts:
            self.series.copies.append((self.world.now, min(counts), sum(counts) / len(counts)))
        return counts


@dataclass(frozen=True)
class Planned:
    """A step with what is expected of it."""

    step: Step
    expected: tuple[Expectation, ...] = ()


async def carry_out(
    mesh: Mesh,
    steps: tuple[Planned, ...],
    *,
    seed: int,
    watch_seconds: float = 0.0,
    on_progress: Callable[[Progress], None] = lambda _progress: None,
) -> tuple[list[Outcome], Series]:
    """Build a mesh, do all steps, and return what each showed. Runs on a `virtual_time` loop."""
    outcomes: list[Outcome] = []
    async with Run(World(mesh, seed), watch_seconds) as lab:
        for number, planned in enumerate((Planned(Build()), *steps)):
            text = str(planned.step)

            def tell(share: float, number: int = number, text: str = text) -> None:
                on_progress(Progress(number, len(steps) + 1, share, text))

            lab.on_progress = tell
            tell(0.0)
            began = lab.world.now
            metrics = await planned.step.run(lab)
            if metrics:
                metrics = {**metrics, **lab.series.fewest_copies(began)}
                outcomes.append(Outcome(text, lab.world.now, metrics, planned.expected))
        return outcomes, lab.series


@dataclass(frozen=True)
class Build:
    """Make the mesh."""

    figures: ClassVar[tuple[str, ...]] = ()

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        mesh = lab.world.mesh
        if mesh.settled:
            lab.world.settle()
            return {}
        await lab.world.join(mesh.nodes, lab.on_progress)
        return {}

    def __str__(self) -> str:
        return "building the mesh"
