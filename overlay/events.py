"""What the overlay tells its owner."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Joined:
    """Other nodes are known, after a time when none was; ``contacts`` is how many."""

    contacts: int


@dataclass(frozen=True)
class Lonely:
    """The last contact was lost, or none was found yet. The overlay keeps trying."""


@dataclass(frozen=True)
class CutOff:
    """Others answer, but our own node record cannot be found through them: nobody would find us. It keeps trying."""


@dataclass(frozen=True)
class Republished:
    """What was published while alone now lies on others too: the least of its values on ``copies`` nodes."""

    copies: int


@dataclass(frozen=True)
class ReachabilityChanged:
    """Others can reach this node now (``is_reachable``), or cannot; ``seen_as`` is where they see it, if they agree."""

    is_reachable: bool
    seen_as: str


OverlayEvent = Joined | Lonely | CutOff | Republished | ReachabilityChanged
