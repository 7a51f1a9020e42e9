"""Attacks as steps of a scenario."""

from dataclasses import dataclass
from typing import ClassVar

from overlay.protocol.claim import claim_target, unseal
from overlay.protocol.errors import WireError
from overlay.protocol.record import Kind, parse_record

from .attackers import Band, colluding_responder, grind
from .measure import Metrics
from .node import LabNode
from .run import Run
from .world import World

MAX_TRIED = 20


def turn_hostile(world: World, nodes: list[LabNode]) -> None:
    """Let nodes collude from now on, those too that nobody has reached yet."""
    band = Band([node.contact for node in nodes])
    for node in nodes:
        node.hostile = True
        node.responder = colluding_responder(node.key, band, world.dice.randbytes(32))
        node.adopt_responder()


@dataclass(frozen=True)
class Collude:
    """A ``share`` of the nodes, with ids that they can prove, name only each other and lose what is stored on them."""

    figures: ClassVar[tuple[str, ...]] = ()

    share: float = 0.2

    async def run(self, lab: Run) -> Metrics:
        """Begin it."""
        turn_hostile(lab.world, lab.world.some(self.share, lab.world.alive()))
        lab.mark(f"{self.share:.0%} collude")
        return {}

    def __str__(self) -> str:
        return f"{self.share:.0%} of the nodes collude"


@dataclass(frozen=True)
class Grind:
    """Somebody grinds ``ids`` closer to one name than anybody else, two in each /24, before the name is published.

    In a settled mesh only, as its first step. The name is published, and it is the one that is looked up.
    """

    figures: ClassVar[tuple[str, ...]] = ("copies",)

    ids: int = 20

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        world = lab.world
        name = world.name(lab.dice.choice(world.alive()))
        wanted = int.from_bytes(name.target, "big")
        closest = min(node.contact.long_id ^ wanted for node in world.nodes)
        first = len(world.nodes)
        for place, seed in enumerate(grind(name.target, self.ids, closest, world.seed)):
            node = world.add(seed, beside=world.nodes[-1] if place % 2 else None)
            node.up.set()
        turn_hostile(world, world.nodes[first:])
        world.know_each_other()
        world.place(name)
        lab.mark(f"{self.ids} ids ground")
        return {"copies": world.copies(name)}

    def __str__(self) -> str:
        return f"{self.ids} ids are ground next to one name"


@dataclass(frozen=True)
class Crawl:
    """Somebody reads every value of every node, and guesses names: a ``share`` of them is in the dictionary.

    The names of all unlisted users are in it too, but their secrets are not. Shows which share of the guessed names is
    learned, and of all other values.
    """

    figures: ClassVar[tuple[str, ...]] = ("values_seen", "learned_of_guessed", "learned_of_others")

    share: float = 0.5

    async def run(self, lab: Run) -> Metrics:
        """Do it."""
        world = lab.world
        seen: dict[bytes, set[bytes]] = {}
        for node in world.nodes:
            if node.overlay is None:
                continue
            for held in node.protocol.store_of_records.held():
                if held.kind is Kind.CLAIM:
                    seen.setdefault(held.target, set()).add(held.raw)
        names = [name.uri for name in world.names if name.is_published and not name.is_unlisted]
        unlisted = [name for name in world.names if name.is_unlisted]
        guesses = set(lab.dice.sample(names, round(self.share * len(names))))
        guesses |= {name.uri.partition("+")[0] + "@mesh" for name in unlisted}
        opened = {uri for uri in guesses if any(_opens(uri, raw) for raw in seen.get(claim_target(uri), ()))}
        guessed = {claim_target(uri) for uri in guesses}
        others = [(target, raw) for target, raws in seen.items() if target not in guessed for raw in raws]
        tried = sorted(guesses)[:MAX_TRIED]
        leaked = sum(any(_opens(uri, raw, target) for uri in tried) for target, raw in others)
        return {
            "values_seen": sum(map(len, seen.values())),
            "learned_of_guessed": len(opened) / max(1, len(guesses) - len(unlisted)),
            "learned_of_others": leaked / max(1, len(others)),
        }

    def __str__(self) -> str:
        return f"a crawler guesses {self.share:.0%} of the names"


def _opens(uri: str, raw: bytes, target: bytes | None = None) -> bool:
    try:
        unseal(uri, parse_record(target or claim_target(uri), raw).payload)
    except WireError:
        return False
    return True
