"""The steps that scenarios are made of. Each is a small table in the scenario's file: ``do`` and its options."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from .measure import TIMES, Metrics, mean, times_ms
from .node import LabNode
from .run import Found, Run
from .world import Name

MAX_PICKS = 100


@dataclass(frozen=True)
class Publish:
    """``names`` nodes publish a claim each (0: every node), and every node where it can be reached, if ``records``.

    The share ``unlisted`` of the names has a secret in it.
    """

    figures: ClassVar[tuple[str, ...]] = (*TIMES, "copies", "copies_min")

    names: int = 0
    records: bool = False
    unlisted: float = 0.0
    every_ms: float = 100.0

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        world = lab.world
        alive = [node for node in world.alive() if node.up.is_set()]
        owners = lab.dice.sample(alive, min(self.names, len(alive))) if self.names else alive
        names = [world.name(owner, unlisted=lab.dice.random() < self.unlisted) for owner in owners]
        if world.is_settled:
            for name in names:
                world.place(name)
            return {}
        times: list[float] = []
        copies: list[int] = []
        async with asyncio.TaskGroup() as group:
            for number, node in enumerate(alive if self.records else ()):
                lab.on_progress(number / len(alive) / 2)
                group.create_task(publish_record(lab, node))
                await asyncio.sleep(self.every_ms / 1000)
            for number, name in enumerate(names):
                lab.on_progress(0.5 + number / len(names) / 2)
                group.create_task(publish(lab, name, times, copies))
                await asyncio.sleep(self.every_ms / 1000)
        return {**times_ms(times), "copies": mean(copies), "copies_min": min(copies, default=math.nan)}

    def __str__(self) -> str:
        return f"publish {self.names or 'all'} names"


async def publish_record(lab: Run, node: LabNode) -> None:
    """Let a node publish where it can be reached."""
    await (await lab.world.acting(node)).publish_node([node.endpoint])


async def publish(lab: Run, name: Name, times: list[float], copies: list[int]) -> None:
    """Let the owner of a name publish its newest version."""
    began = lab.world.now
    copies.append(await (await lab.world.acting(name.owner)).publish_claim(name.uri, name.claim()))
    times.append((lab.world.now - began) * 1000)
    name.is_published = True


@dataclass(frozen=True)
class Update:
    """Every owner that lives publishes a new version of its name."""

    figures: ClassVar[tuple[str, ...]] = TIMES

    every_ms: float = 100.0

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        times: list[float] = []
        async with asyncio.TaskGroup() as group:
            for name in [name for name in lab.world.names if name.owner.alive]:
                name.version += 1
                group.create_task(publish(lab, name, times, []))
                await asyncio.sleep(self.every_ms / 1000)
        return times_ms(times)

    def __str__(self) -> str:
        return "every owner publishes a new version"


@dataclass(frozen=True)
class Resolve:
    """Living nodes look names up, one each ``every_ms``: ``times`` in all.

    ``known``: they have talked to the owner before, and name its key. ``owners``: ``any``, or of the ``alive`` only.
    ``across``: the asker is on the other side of a partition, past or present. Who asks does not hold the name itself.
    """

    figures: ClassVar[tuple[str, ...]] = (*TIMES, "success", "requests", "datagrams", "isolated")

    times: int = 1000
    every_ms: float = 100.0
    known: bool = True
    owners: str = "any"
    across: bool = False

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        results: list[Found] = []
        carried = lab.world.internet.total.sent
        async with asyncio.TaskGroup() as group:
            for number in range(self.times):
                pair = self._pair(lab)
                if pair is not None:
                    group.create_task(self._resolve(lab, *pair, results))
                lab.on_progress(number / self.times)
                await asyncio.sleep(self.every_ms / 1000)
        return _sum_up(results, lab.world.internet.total.sent - carried)

    def _pair(self, lab: Run) -> tuple[Name, LabNode] | None:
        names, nodes = lab.world.names, lab.world.nodes
        for _ in range(MAX_PICKS if names else 0):
            name, asker = lab.dice.choice(names), lab.dice.choice(nodes)
            is_there = name.is_published and (self.owners == "any" or name.owner.alive)
            can_ask = asker.alive and not asker.hostile and asker.up.is_set()
            can_ask = can_ask and not lab.world.has(asker, name)
            if is_there and can_ask and (not self.across or asker.group != name.owner.group):
                return name, asker
        return None

    async def _resolve(self, lab: Run, name: Name, asker: LabNode, results: list[Found]) -> None:
        found = await lab.resolve(name, asker, known=self.known)
        if asker.alive:  # who dies while asking cares no more
            results.append(found)

    def __str__(self) -> str:
        return f"resolve {self.times} times{'' if self.known else ', strangers'}"


def _sum_up(results: Sequence[Found], datagrams: int) -> Metrics:
    count = len(results) or math.nan  # nobody asked: nothing was shown
    return {
        **times_ms([found.ms for found in results]),
        "success": sum(found.right for found in results) / count,
        "requests": sum(found.asked for found in results) / count,
        "datagrams": datagrams / count,
        "isolated": sum(found.isolated for found in results) / count,
    }


@dataclass(frozen=True)
class Kill:
    """A ``share`` of the nodes fall silent, the three that all joined by among them if ``bootstrap``."""

    figures: ClassVar[tuple[str, ...]] = ()

    share: float = 0.4
    bootstrap: bool = False

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        world = lab.world
        first = world.nodes[:3] if self.bootstrap else []
        rest = [node for node in world.nodes if node.alive and node not in first]
        count = max(0, round(self.share * (len(rest) + len(first))) - len(first))
        world.kill([*first, *lab.dice.sample(rest, count)])
        lab.mark(f"{self.share:.0%} of the nodes die" + ",\nall bootstrap nodes too" * self.bootstrap)
        return {}

    def __str__(self) -> str:
        return f"{self.share:.0%} of the nodes die silently" + (", all bootstrap nodes too" * self.bootstrap)


@dataclass(frozen=True)
class Part:
    """The mesh is parted in ``groups`` between which nothing passes."""

    figures: ClassVar[tuple[str, ...]] = ()

    groups: int = 2

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        lab.world.part(self.groups)
        lab.mark("parted")
        return {}

    def __str__(self) -> str:
        return f"the mesh parts in {self.groups}"


@dataclass(frozen=True)
class Heal:
    """What was parted is joined again."""

    figures: ClassVar[tuple[str, ...]] = ()

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        lab.world.internet.heal()
        lab.mark("joined")
        return {}

    def __str__(self) -> str:
        return "the parts are joined again"


@dataclass(frozen=True)
class Move:
    """A ``share`` of the nodes gets another address in another network, and is not told."""

    figures: ClassVar[tuple[str, ...]] = ()

    share: float = 0.2

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        for node in lab.world.some(self.share, lab.world.alive()):
            lab.world.move(node)
        lab.mark(f"{self.share:.0%} move")
        return {}

    def __str__(self) -> str:
        return f"{self.share:.0%} of the nodes change their address"


@dataclass(frozen=True)
class Unplug:
    """A ``share`` of the nodes loses its network for some ``seconds``; then it is there again."""

    figures: ClassVar[tuple[str, ...]] = ()

    share: float = 0.2
    seconds: float = 600.0

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        asleep = lab.world.some(self.share, lab.world.alive())
        for node in asleep:
            node.silence()
        lab.mark(f"{self.share:.0%} unplugged")
        await asyncio.sleep(self.seconds)
        for node in asleep:
            node.unsilence()
        lab.mark("plugged in")
        return {}

    def __str__(self) -> str:
        return f"{self.share:.0%} of the nodes are off the network for {self.seconds:g} s"


@dataclass(frozen=True)
class Wait:
    """Time passes, and the traffic is counted.

    Shows the bytes that a node sends and receives each second (mean, and of the busiest), and its requests.
    """

    figures: ClassVar[tuple[str, ...]] = (
        "bytes_per_s",
        "busiest_bytes_per_s",
        "received_bytes_per_s",
        "requests_per_s",
        "largest_bytes",
    )

    seconds: float = 60.0

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        world = lab.world
        before = {node.number: node.traffic() for node in world.alive()}
        sent, requests = world.internet.total.sent_bytes, world.internet.total.requests
        for part in range(20):
            lab.on_progress(part / 20)
            await asyncio.sleep(self.seconds / 20)
        node_seconds = max(1, len(world.alive())) * self.seconds
        each = [(node.traffic(), before.get(node.number)) for node in world.alive()]
        both = [(new, old) for new, old in each if old is not None]
        return {
            "bytes_per_s": (world.internet.total.sent_bytes - sent) / node_seconds,
            "busiest_bytes_per_s": max((n.sent_bytes - o.sent_bytes for n, o in both), default=0)
            / self.seconds,
            "received_bytes_per_s": sum(n.received_bytes - o.received_bytes for n, o in both)
            / (max(1, len(both)) * self.seconds),
            "requests_per_s": (world.internet.total.requests - requests) / node_seconds,
            "largest_bytes": world.internet.largest,
        }

    def __str__(self) -> str:
        return f"{self.seconds:g} s pass"


@dataclass(frozen=True)
class Look:
    """See how the mesh stands: copies of names, whom nodes know, whether all are of one piece."""

    figures: ClassVar[tuple[str, ...]] = (
        "copies",
        "copies_min",
        "contacts",
        "contacts_min",
        "dead_contacts",
        "pieces",
    )

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        copies = lab.look()
        nodes = [node for node in lab.world.alive() if node.overlay is not None and node.up.is_set()]
        tables = [[contact.id for contact in node.protocol.router] for node in nodes]
        living = {node.key.node_id: place for place, node in enumerate(nodes)}
        known = sum(len(table) for table in tables)
        dead = sum(contact not in living for table in tables for contact in table)
        sizes = sorted(len(table) for table in tables)
        return {
            "copies": sum(copies) / max(1, len(copies)),
            "copies_min": min(copies, default=0),
            "contacts": known / max(1, len(nodes)),
            "contacts_min": sizes[0] if sizes else 0,
            "dead_contacts": dead / max(1, known),
            "pieces": _pieces([[living[c] for c in table if c in living] for table in tables]),
        }

    def __str__(self) -> str:
        return "a look at the mesh"


def _pieces(graph: Sequence[Sequence[int]]) -> int:
    """Count the parts of a graph that do not know each other, whoever knows whom."""
    leader = list(range(len(graph)))

    def find(place: int) -> int:
        while leader[place] != place:
            leader[place] = leader[leader[place]]
            place = leader[place]
        return place

    for place, others in enumerate(graph):
        for other in others:
            leader[find(place)] = find(other)
    return len({find(place) for place in range(len(graph))})


@dataclass(frozen=True)
class Churn:
    """From now on nodes live ``session_s`` on average (exponentially) and are replaced; a share leaves ``polite``ly.

    The share ``steady`` stays for ever. Every newcomer publishes a name of its own, if ``names``. 0 ends the churn.
    """

    figures: ClassVar[tuple[str, ...]] = ()

    session_s: float = 600.0
    polite: float = 0.5
    steady: float = 0.0
    names: bool = True

    async def run(self, lab: Run) -> Metrics:
        """Begin it."""
        world = lab.world
        lab.churn += 1
        if self.session_s:
            owners = [name.owner for name in world.names] if not self.names else []
            others = [node for node in world.alive() if node not in owners]
            stay = round(self.steady * len(world.alive())) - len(owners)
            for node in lab.dice.sample(others, len(others) - max(0, stay)):
                lab.beside(self._seat(lab, node, lab.churn))
        lab.mark("churn" if self.session_s else "calm")
        return {}

    async def _seat(self, lab: Run, node: LabNode, churn: int) -> None:
        """One place in the mesh: its holder leaves, and another comes."""
        while True:
            await asyncio.sleep(lab.dice.expovariate(1 / self.session_s))
            if lab.churn != churn:
                return
            node = lab.world.replace(node, polite=lab.dice.random() < self.polite)
            lab.beside(self._settle_in(lab, node))

    async def _settle_in(self, lab: Run, node: LabNode) -> None:
        await node.up.wait()
        if node.alive:
            await publish_record(lab, node)
        if node.alive and self.names:
            await publish(lab, lab.world.name(node), [], [])

    def __str__(self) -> str:
        if not self.session_s:
            return "the churn ends"
        return f"churn begins: sessions of {self.session_s:g} s"
