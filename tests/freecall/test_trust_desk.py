"""What `fc-trust` asks of the node: each standing of a name in sentences, and introductions from one to another."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest

from freecall.config import Config, NodeConfig
from freecall.events import Event
from freecall.evidence import EvidenceGatherer
from freecall.identity import Identity, open_identity
from freecall.retained import RetainedSecrets
from freecall.store import DataDirectory
from freecall.trust_desk import TrustDesk, TrustRefused
from overlay.errors import Isolated
from overlay.overlay import FoundClaim, Overlay, Resolution
from overlay.protocol.claim import Claim
from overlay.protocol.sealed_blob import seal_blob
from tests.trust.memory_store import MemoryStore
from trust.introductions import Introductions
from trust.openpgp import KeyVerifier
from trust.pins import Pins
from trust.protocol.packed_key import pack
from trust.standing import Standings

NOW = 1_800_000_000.0


@dataclass
class Mesh:
    """An overlay with the claims that were put there; ``is_there`` false is a node that is cut off."""

    claims: dict[str, list[Claim]] = field(default_factory=dict)
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    is_there: bool = True

    def publish(self, uri: str, person: Identity) -> None:
        """Let a person claim a name."""
        key = bytes([len(self.blobs)]) * 20
        self.blobs[key] = seal_blob(uri, pack(person.public_key))
        fingerprint = bytes.fromhex(person.keyring.fingerprint)
        claim = Claim(fingerprint, person.node_key.public_key, key, bytes(person.delegation))
        self.claims.setdefault(uri, []).append(claim)

    async def resolve(self, uri: str, _node_public_key: bytes = b"") -> Resolution:
        """Return the claims."""
        if not self.is_there:
            raise Isolated
        found = (FoundClaim(claim, 1, claim.node_public_key, 3) for claim in self.claims.get(uri, ()))
        return Resolution(tuple(found), 3, 1.0)

    async def resolve_node(self, _node_public_key: bytes) -> None:
        """Find no address."""

    async def fetch_blob(self, key: bytes) -> bytes:
        """Return a key."""
        return self.blobs[key]


@dataclass
class Person:
    """Somebody with a desk of their own."""

    identity: Identity
    pins: Pins
    desk: TrustDesk

    def meet(self, other: "Person", uri: str) -> None:
        """Have a confirmed call with somebody."""
        self.pins.pin(uri, other.identity.keyring.fingerprint, other.identity.public_key, NOW)


async def person(tmp_path: Path, name: str, mesh: Mesh, called: str = "") -> Person:
    config = Config(node=NodeConfig(name=called or name, openpgp="sequoia"))
    with DataDirectory(tmp_path / name) as data:
        identity = await open_identity(data, config, now=NOW)
    pins = Pins(MemoryStore())
    introductions = Introductions(MemoryStore(), pins)
    gatherer = EvidenceGatherer(
        cast("Overlay", mesh),
        KeyVerifier(),
        pins,
        lambda: NOW,
        identity.keyring.fingerprint,
        Standings(pins, introductions, clock=lambda: NOW),
    )
    mesh.publish(identity.uri, identity)
    return Person(
        identity,
        pins,
        TrustDesk(identity, pins, introductions, gatherer, RetainedSecrets(MemoryStore()), lambda: NOW),
    )


async def test_the_way_of_a_name_from_unknown_to_a_conflict(tmp_path: Path) -> None:
    mesh = Mesh()
    alice = await person(tmp_path, "alice", mesh)
    unknown = await alice.desk.show("bob@mesh")
    assert (unknown["trust"], unknown["fingerprint"]) == ("unknown", "")
    assert unknown["why"] == [{"source": "mesh", "text": "Nobody on the mesh claims this name now."}]
    bob = await person(tmp_path, "bob", mesh)
    new = await alice.desk.show("bob@mesh")
    assert new["trust"] == "new"
    assert [step["source"] for step in new["why"]] == ["pin", "mesh"]
    eve = await person(tmp_path, "eve", mesh, called="bob")
    assert (await alice.desk.show("bob@mesh"))["trust"] == "several"
    alice.meet(bob, "sip:bob@mesh")
    known = await alice.desk.show("bob@mesh")
    assert (known["trust"], known["pinned"]["verified"]) == ("pinned", False)
    alice.pins.verify("sip:bob@mesh")
    assert (await alice.desk.show("bob@mesh"))["trust"] == "verified"
    mesh.claims["sip:bob@mesh"] = mesh.claims["sip:bob@mesh"][1:]
    conflict = await alice.desk.show("bob@mesh")
    assert (conflict["trust"], conflict["fingerprint"]) == ("conflict", eve.identity.keyring.fingerprint)
    assert "Calls to this one are stopped" in conflict["why"][0]["text"]
    assert (await alice.desk.show("alice@mesh"))["trust"] == "self"


async def test_only_the_words_of_the_last_call_or_the_right_fingerprint_verify_somebody(
    tmp_path: Path,
) -> None:
    mesh = Mesh()
    alice, bob = await person(tmp_path, "alice", mesh), await person(tmp_path, "bob", mesh)
    fingerprint = bob.identity.keyring.fingerprint
    with pytest.raises(TrustRefused, match="You do not know bob@mesh yet"):
        alice.desk.verify("bob@mesh", fingerprint=fingerprint)
    alice.meet(bob, "sip:bob@mesh")
    with pytest.raises(TrustRefused, match="no signed call with bob@mesh since the start"):
        alice.desk.verify("bob@mesh", words="a b c d")
    for signed, words in ((True, ["Uncut", "mosquito", "quota", "Pegasus"]), (False, ["e", "f", "g", "h"])):
        fields = {"peer": "sip:bob@mesh", "fingerprint": fingerprint, "signed": signed, "words": words}
        alice.desk.observe(Event("call_secured", 1.0, fields))
    for wrong in ("e f g h", "uncut mosquito quota", "uncut mosquito pegasus quota"):
        with pytest.raises(TrustRefused, match="These are not the words"):
            alice.desk.verify("bob@mesh", words=wrong)
    with pytest.raises(TrustRefused, match="Do not trust that key"):
        alice.desk.verify("bob@mesh", fingerprint="A" * 40)
    assert (await alice.desk.show("bob@mesh"))["trust"] == "pinned"
    alice.desk.verify("bob@mesh", words=" uncut MOSQUITO  quota pegasus")
    assert (await alice.desk.show("bob@mesh"))["trust"] == "verified"
    alice.desk.forget("bob@mesh")
    assert (await alice.desk.show("bob@mesh"))["trust"] == "new"
    alice.meet(bob, "sip:bob@mesh")
    alice.desk.verify("bob@mesh", fingerprint=f"OPENPGP4FPR:{fingerprint.lower()}?x")
    assert (await alice.desk.show("bob@mesh"))["trust"] == "verified"


async def test_cut_off_from_the_mesh_what_is_kept_still_answers(tmp_path: Path) -> None:
    mesh = Mesh()
    alice, bob = await person(tmp_path, "alice", mesh), await person(tmp_path, "bob", mesh)
    mesh.is_there = False
    assert (await alice.desk.show("bob@mesh"))["trust"] == "unknown"
    alice.meet(bob, "sip:bob@mesh")
    shown = await alice.desk.show("bob@mesh")
    assert shown["trust"] == "pinned"
    assert shown["why"][-1]["text"] == "The mesh could not be asked: this node is cut off."


async def test_an_introduction_from_desk_to_desk(tmp_path: Path) -> None:
    mesh = Mesh()
    alice, bob, carol = [await person(tmp_path, name, mesh) for name in ("alice", "bob", "carol")]
    with pytest.raises(TrustRefused, match="You do not know bob@mesh yet"):
        await alice.desk.introduce("bob@mesh", "carol@mesh")
    alice.meet(bob, "sip:bob@mesh")
    alice.meet(carol, "sip:carol@mesh")
    made = await alice.desk.introduce("bob@mesh", "carol@mesh")
    with pytest.raises(TrustRefused, match="you do not know alice@mesh by the key"):
        await carol.desk.take(made["card"])
    carol.meet(alice, "sip:alice@mesh")
    assert (await carol.desk.take(made["card"]))["uri"] == "sip:bob@mesh"
    shown = await carol.desk.show("bob@mesh")
    assert (shown["trust"], shown["introduced_by"]) == ("introduced", ["sip:alice@mesh"])
    assert [each["introducer"] for each in carol.desk.introductions()] == ["sip:alice@mesh"]
    with pytest.raises(TrustRefused, match="none in this file"):
        await carol.desk.take("hello")
    with pytest.raises(TrustRefused, match="themselves"):
        await alice.desk.introduce("bob@mesh", "bob@mesh")
