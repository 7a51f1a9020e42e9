"""Evidence: a known person's own node is asked for first; when it is away or silent, everybody counts."""

from dataclasses import dataclass, field
from typing import cast

from freecall.evidence import EvidenceGatherer
from overlay.overlay import Overlay, Resolution
from tests.trust.memory_store import MemoryStore
from trust.openpgp import KeyVerifier
from trust.pins import Pins

BOB, KEY, NODE = "sip:bob@mesh", "A" * 40, b"n" * 32


@dataclass
class SilentMesh:
    """An overlay on which nobody claims anything; remembers for whom it was asked."""

    asked_for: list[bytes] = field(default_factory=list)

    async def resolve(self, _uri: str, node_public_key: bytes = b"") -> Resolution:
        """Find nothing."""
        self.asked_for.append(node_public_key)
        return Resolution((), 3, 1.0)


async def test_the_node_of_a_known_person_is_asked_for_first_and_then_everybody() -> None:
    mesh, pins = SilentMesh(), Pins(MemoryStore())
    gatherer = EvidenceGatherer(cast("Overlay", mesh), KeyVerifier(), pins, lambda: 0.0)
    await gatherer.find(BOB)
    pins.pin(BOB, KEY, b"key", 1.0)
    await gatherer.find(BOB)
    assert mesh.asked_for == [b"", b""]
    pins.pin(BOB, KEY, b"key", 1.0, NODE)
    await gatherer.find(BOB)
    assert mesh.asked_for[2:] == [NODE, b""]
