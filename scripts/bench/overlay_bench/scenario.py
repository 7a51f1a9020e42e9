"""One system through one story: join, publish, resolve, then 40 % die silently, and at once resolve and publish again.

Requests come at fixed times, whether or not those before are done (an open loop): a slow system is not asked less. No
node asks twice after the deaths, so that each question meets a table that had no time to heal.
"""

import asyncio
import gc
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from .relay import Wire
from .systems import NotPublished, Stages, Swarm, started

LOCAL_SECONDS = 0.002
"""An answer as fast as this came from the asker's own store."""


Report = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Plan:
    """How much of everything; times in seconds."""

    nodes: int = 200
    names: int = 60
    resolves: int = 100
    publishes: int = 20
    dead_share: float = 0.4
    between: float = 0.05
    settle: float = 10.0
    seed: int = 1
    k: int | None = None
    publishes_to_the_dead: bool = True
    """False: when 40 % are dead, only resolve (plain kademlia takes most of a minute to publish)."""


@dataclass
class Samples:
    """What was measured in one phase: seconds, one entry for each question that was answered."""

    first: list[float] = field(default_factory=list)
    complete: list[float] = field(default_factory=list)
    published: list[float] = field(default_factory=list)
    majority: list[float] = field(default_factory=list)
    copies: list[int] = field(default_factory=list)
    """How many nodes confirmed each value to its publisher."""
    asked: int = 0
    found: int = 0
    local: int = 0
    """Answers from the asker's own store, left out of the times."""
    to_publish: int = 0

    def take(self, began: float, stages: Stages) -> None:
        """Take in what a lookup reached."""
        self.asked += 1
        self.found += bool(stages)
        times = {stage: at - began for stage, at in stages.items()}
        if times and min(times.values()) < LOCAL_SECONDS:
            self.local += 1
            return
        if "first" in times:
            self.first.append(times["first"])
        if "complete" in times:
            self.complete.append(times["complete"])


async def run(system: str, plan: Plan, wire: Wire, report: Report) -> None:
    """Run the story; ``report`` gets the samples of both phases while the nodes still run."""
    dice = Random(plan.seed)
    async with started(system, plan.nodes, plan.k, plan.seed) as swarm:
        await asyncio.sleep(plan.settle)
        gc.collect()
        gc.freeze()  # hundreds of nodes in one process would all wait for one collector; one node has little to collect
        story = _Story(swarm, plan, wire, dice)
        everybody = list(range(plan.nodes))
        await story.publish_all(everybody)
        await asyncio.sleep(plan.settle / 2)
        healthy = await story.phase(everybody, plan.publishes)
        dice.shuffle(everybody)
        dying = int(plan.nodes * plan.dead_share)
        wire.cut(everybody[:dying])
        dead = await story.phase(everybody[dying:], plan.publishes if plan.publishes_to_the_dead else 0)
        copies = {"k": swarm.k, "copies": swarm.copies}
        report({**copies, "healthy": asdict(healthy), "dead": asdict(dead)})


class _Story:
    def __init__(self, swarm: Swarm, plan: Plan, wire: Wire, dice: Random) -> None:
        self._swarm = swarm
        self._plan = plan
        self._wire = wire
        self._dice = dice
        self._next_name = plan.names
        self._loop = asyncio.get_running_loop()

    async def publish_all(self, nodes: list[int]) -> None:
        """Publish the names that will be looked up."""
        async with asyncio.TaskGroup() as group:
            for name in range(self._plan.names):
                group.create_task(self._swarm.publish(self._dice.choice(nodes), name))
                await asyncio.sleep(self._plan.between)

    async def phase(self, nodes: list[int], publishes: int) -> Samples:
        """Resolve and publish, mixed, each by a node of its own."""
        plan, samples = self._plan, Samples(to_publish=publishes)
        askers = self._dice.sample(nodes, min(len(nodes), plan.resolves + publishes))
        publishers = set(askers[:publishes])
        self._dice.shuffle(askers)
        self._wire.watch(sorted(publishers))
        began: dict[int, float] = {}
        names = dict(
            zip(sorted(publishers), range(self._next_name, self._next_name + publishes), strict=True)
        )
        self._next_name += publishes
        async with asyncio.TaskGroup() as group:
            for asker in askers:
                if asker in publishers:
                    began[asker] = self._loop.time()
                    group.create_task(self._publish(asker, names[asker], samples))
                else:
                    group.create_task(self._resolve(asker, samples))
                await asyncio.sleep(plan.between)
        for publisher, copies in self._confirmed(began).items():
            samples.copies.append(len(copies))
            samples.majority += self._majority(copies, names[publisher], began[publisher])
        return samples

    async def _resolve(self, asker: int, samples: Samples) -> None:
        name = self._dice.randrange(self._plan.names)
        began = self._loop.time()
        samples.take(began, await self._swarm.resolve(asker, name))

    async def _publish(self, publisher: int, name: int, samples: Samples) -> None:
        began = self._loop.time()
        try:
            await self._swarm.publish(publisher, name)
        except NotPublished:
            return
        samples.published.append(self._loop.time() - began)

    def _majority(self, copies: dict[int, float], name: int, began: float) -> list[float]:
        """Return how long it took until more than half of the nearest that took a copy had confirmed it.

        The nearest, as many as the system means to store on: further copies, made in passing, do not count.
        """
        wanted = self._swarm.copies // 2 + 1
        nearest = sorted(copies, key=lambda node: self._swarm.distance(node, name))[: self._swarm.copies]
        times = sorted(copies[node] for node in nearest)
        return [times[wanted - 1] - began] if len(times) >= wanted else []

    def _confirmed(self, began: dict[int, float]) -> dict[int, dict[int, float]]:
        """Return for each publisher when, on the wire, each node confirmed that it has a copy."""
        asked: set[tuple[int, int, bytes]] = set()
        confirmed: dict[int, dict[int, float]] = {publisher: {} for publisher in began}
        for at, source, target, datagram in sorted(self._wire.seen()):
            if source in began and (request := self._swarm.store_request(datagram)) is not None:
                asked.add((source, target, request))
            elif target in began and at >= began[target]:
                answer = self._swarm.store_answer(datagram)
                if answer is not None and (target, source, answer) in asked:
                    asked.discard((target, source, answer))
                    confirmed[target].setdefault(source, at)
        return confirmed
