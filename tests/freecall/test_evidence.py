"""Evidence: a known person's own node is asked for first; when it is away or silent, everybody counts."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from freecall.evidence import EvidenceGatherer
from overlay.overlay import FoundClaim, Overlay, Resolution
from overlay.protocol.claim import Claim
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.record import NodeRecord
from overlay.protocol.sealed_blob import seal_blob
from tests.trust.agent import PersonsGpg
from tests.trust.gpg import needs_gpg
from tests.trust.memory_store import MemoryStore
from trust.calling_key import open_calling_keyring
from trust.delegation import Delegation, delegate
from trust.openpgp import KeyVerifier
from trust.pins import Pins
from trust.protocol.packed_key import pack
from trust.sequoia_keyring import passing_keyring

BOB, KEY, NODE = "sip:bob@mesh", "A" * 40, b"n" * 32


@dataclass
class SilentMesh:
    """An overlay on which nobody claims anything; remembers for whom it was asked."""

    asked_for: list[bytes] = field(default_factory=list)
    looked_for: list[bytes] = field(default_factory=list)

    async def resolve(self, _uri: str, node_public_key: bytes = b"") -> Resolution:
        """Find nothing."""
        self.asked_for.append(node_public_key)
        await asyncio.sleep(0)
        return Resolution((), 3, 1.0)

    async def resolve_node(self, node_public_key: bytes) -> None:
        """Find nothing, later than anybody waits."""
        self.looked_for.append(node_public_key)
        await asyncio.Event().wait()


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
    assert mesh.looked_for == [NODE], "at the same time; nobody waits for where a node is that claims nothing"


@dataclass
class MeshWithOneClaim:
    """An overlay that knows one claim and one key, and counts how often the key is asked for."""

    claim: Claim
    sealed_key: bytes
    fetched: int = 0

    async def resolve(self, _uri: str, _node_public_key: bytes = b"") -> Resolution:
        """Find the claim."""
        return Resolution((FoundClaim(self.claim, 1, NODE, 3),), 3, 1.0)

    async def resolve_node(self, _node_public_key: bytes) -> None:
        """Find no address."""

    async def fetch_blob(self, _key: bytes) -> bytes:
        """Return the key."""
        self.fetched += 1
        return self.sealed_key


@dataclass
class MeshWithBob:
    """An overlay that knows where bob is, and counts how often it was asked."""

    claim: Claim
    resolved: int = 0
    located: int = 0

    async def resolve(self, _uri: str, _node_public_key: bytes = b"") -> Resolution:
        """Find the claim."""
        self.resolved += 1
        return Resolution((FoundClaim(self.claim, 1, NODE, 3),), 3, 1.0)

    async def resolve_node(self, node_public_key: bytes) -> NodeRecord:
        """Find the node."""
        self.located += 1
        return NodeRecord(node_public_key, (Endpoint("192.0.2.1", 7350),), self.located, 7200)

    async def fetch_blob(self, _key: bytes) -> None:
        """Find no key."""


async def test_while_we_are_connected_with_a_known_person_s_node_the_mesh_is_not_asked_again() -> None:
    keyring, now, connected = passing_keyring("bob <sip:bob@mesh>"), [1_900_000_000.0], {NODE}
    signed = await delegate(keyring, Delegation(BOB, NODE, 1, 1_900_000_600))
    mesh = MeshWithBob(Claim(bytes.fromhex(keyring.fingerprint), NODE, bytes(20), bytes(signed)))
    pins = Pins(MemoryStore())
    pins.pin(BOB, keyring.fingerprint, await keyring.export(), 1.0, NODE)
    gatherer = EvidenceGatherer(cast("Overlay", mesh), KeyVerifier(), pins, lambda: now[0])

    async def asked() -> tuple[int, int]:
        before = mesh.resolved, mesh.located
        evidence = await gatherer.find(BOB)
        if now[0] < 1_900_000_600:
            assert evidence.pinned is not None
            assert evidence.pinned.endpoints == (Endpoint("192.0.2.1", 7350),)
        return mesh.resolved - before[0], mesh.located - before[1]

    assert await asked() == (1, 1), "without a connection"
    gatherer.is_connected = connected.__contains__
    assert await asked() == (0, 0)
    connected.clear()
    assert await asked() == (1, 1)
    connected.add(NODE)
    assert await asked() == (0, 0)
    now[0] += 90 * 86_400
    assert await asked() == (1, 1), (
        "what was told is judged anew: the delegation is over, so everybody is asked"
    )


@needs_gpg
async def test_a_known_person_may_have_a_new_calling_key(tmp_path: Path) -> None:
    with PersonsGpg() as person:
        fingerprint = person.make_locked("Bob <bob@example.org>")
        old = await open_calling_keyring(tmp_path / "old", fingerprint, user_home=person.home)
        new = await open_calling_keyring(tmp_path / "new", fingerprint, user_home=person.home)
    signed = await delegate(new, Delegation(BOB, NODE, 1, 2_000_000_000))
    mesh = MeshWithOneClaim(
        Claim(bytes.fromhex(fingerprint), NODE, bytes(20), bytes(signed)),
        seal_blob(BOB, pack(await new.export())),
    )
    pins = Pins(MemoryStore())
    pins.pin(BOB, fingerprint, await old.export(), 1.0, NODE)
    gatherer = EvidenceGatherer(cast("Overlay", mesh), KeyVerifier(), pins, lambda: 1_900_000_000.0)
    pinned = (await gatherer.gather(BOB)).pinned
    assert pinned is not None
    assert pinned.key == await new.export()
    pins.pin(BOB, fingerprint, await new.export(), 1.0, NODE)
    await gatherer.gather(BOB)
    assert mesh.fetched == 1
