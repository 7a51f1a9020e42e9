"""Contacts: keys that are kept by calls or because the user says so, with names, notes and address cards."""

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from freecall.config import Config, NodeConfig
from freecall.contacts import ContactDesk, ContactRefused, DetailsBook
from freecall.evidence import EvidenceGatherer
from freecall.identity import Identity, open_identity
from freecall.store import DataDirectory, FileStore
from freecall.vcard import Card
from overlay.overlay import Overlay
from sipgate.ports import Refusal
from tests.trust.memory_store import MemoryStore
from trust.openpgp import KeyVerifier
from trust.pins import Pins

from .test_trust_desk import NOW, Mesh


@dataclass
class Person:
    """Somebody with contacts."""

    identity: Identity
    pins: Pins
    desk: ContactDesk
    path: Path

    @property
    def fingerprint(self) -> str:
        return self.identity.keyring.fingerprint


async def person(tmp_path: Path, name: str, mesh: Mesh, called: str = "") -> Person:
    with DataDirectory(tmp_path / name) as data:
        identity = await open_identity(
            data, Config(node=NodeConfig(name=called or name, openpgp="sequoia")), now=NOW
        )
    mesh.publish(identity.uri, identity)
    pins = Pins(MemoryStore())
    gatherer = EvidenceGatherer(
        cast("Overlay", mesh), KeyVerifier(), pins, lambda: NOW, identity.keyring.fingerprint
    )
    path = tmp_path / name / "contacts.json"
    desk = ContactDesk(
        identity,
        pins,
        gatherer,
        FileStore(path),
        is_blocked=lambda fingerprint: fingerprint.startswith("F" * 40),
        forget=pins.forget,
        clock=lambda: NOW,
    )
    return Person(identity, pins, desk, path)


async def test_somebody_is_added_by_the_key_they_have_now_and_renamed_and_forgotten(tmp_path: Path) -> None:
    mesh = Mesh()
    alice, bob = await person(tmp_path, "alice", mesh), await person(tmp_path, "bob", mesh)
    added = await alice.desk.add("bob@mesh", name="Bob Miller", note="from the clinic")
    assert added == {
        "uri": "sip:bob@mesh",
        "name": "Bob Miller",
        "note": "from the clinic",
        "fingerprint": bob.fingerprint,
        "since": NOW,
        "verified": False,
        "blocked": False,
    }
    mesh.is_there = False
    renamed = await alice.desk.add("bob@mesh", name="Bobby")
    assert (renamed["name"], renamed["note"]) == ("Bobby", "from the clinic")
    assert DetailsBook(FileStore(alice.path)).of("sip:bob@mesh").name == "Bobby"
    alice.desk.remove("bob@mesh")
    assert alice.desk.all() == []
    assert "Bobby" not in alice.path.read_text()
    with pytest.raises(ContactRefused, match="bob@mesh is no contact"):
        alice.desk.remove("bob@mesh")


async def test_of_several_the_fingerprint_chooses_and_a_kept_key_stays(tmp_path: Path) -> None:
    mesh = Mesh()
    alice, bob = await person(tmp_path, "alice", mesh), await person(tmp_path, "bob", mesh)
    eve = await person(tmp_path, "eve", mesh, called="bob")
    with pytest.raises(Refusal, match="2 people call themselves"):
        await alice.desk.add("bob@mesh")
    with pytest.raises(ContactRefused, match="Nobody on the mesh has the name bob@mesh and that key"):
        await alice.desk.add("bob@mesh", fingerprint="A" * 40)
    assert (await alice.desk.add("bob@mesh", fingerprint=bob.fingerprint.lower()))["since"] == NOW
    with pytest.raises(ContactRefused, match="fc-contacts remove bob@mesh"):
        await alice.desk.add("bob@mesh", fingerprint=eve.fingerprint)
    with pytest.raises(ContactRefused, match="your own address"):
        await alice.desk.add("alice@mesh")


async def test_cards_carry_people_to_another_node_with_keys_and_names(tmp_path: Path) -> None:
    mesh = Mesh()
    alice, bob, carol = [await person(tmp_path, name, mesh) for name in ("alice", "bob", "carol")]
    await alice.desk.add("bob@mesh", name="Bob, the one", note="a; b")
    mesh.is_there = False
    taken = await carol.desk.take(alice.desk.cards())
    assert (taken["name"], taken["note"], taken["fingerprint"]) == ("Bob, the one", "a; b", bob.fingerprint)
    assert carol.pins.state_of("sip:bob@mesh", bob.fingerprint).value == "pinned"
    assert (await carol.desk.take(alice.desk.own_card()["card"]))["fingerprint"] == alice.fingerprint


async def test_a_card_with_a_fingerprint_needs_its_owner_and_another_key_is_never_taken(
    tmp_path: Path,
) -> None:
    mesh = Mesh()
    alice, bob = await person(tmp_path, "alice", mesh), await person(tmp_path, "bob", mesh)
    eve = await person(tmp_path, "eve", Mesh(), called="bob")
    mesh.is_there = False
    with pytest.raises(ContactRefused, match="cut off from the mesh"):
        await alice.desk.take(bob.desk.own_card()["short"])
    mesh.is_there = True
    with pytest.raises(ContactRefused, match="Nobody on the mesh has the name bob@mesh and that key"):
        await alice.desk.take(eve.desk.own_card()["short"])
    assert (await alice.desk.take(bob.desk.own_card()["short"]))["fingerprint"] == bob.fingerprint
    with pytest.raises(ContactRefused, match="take the old one away first"):
        await alice.desk.take(eve.desk.own_card()["card"])
    card = str(Card("sip:x@mesh", key=bob.identity.public_key))
    with pytest.raises(ContactRefused, match="names another key than it holds"):
        await alice.desk.take(card.replace("KEY:", f"KEY:OPENPGP4FPR:{'A' * 40}\nKEY:"))
    with pytest.raises(ContactRefused, match="not usable"):
        await alice.desk.take(str(Card("sip:x@mesh", key=b"no key")))
    with pytest.raises(ContactRefused, match="has no key: fc-contacts add x@mesh"):
        await alice.desk.take(str(Card("sip:x@mesh")))


async def test_texts_are_bounded_and_a_damaged_file_is_not_passed_over(tmp_path: Path) -> None:
    mesh = Mesh()
    alice, _ = await person(tmp_path, "alice", mesh), await person(tmp_path, "bob", mesh)
    with pytest.raises(ContactRefused, match="100 characters at most"):
        await alice.desk.add("bob@mesh", name="x" * 101)
    with pytest.raises(ContactRefused, match="control characters"):
        await alice.desk.add("bob@mesh", note="\x1b[2J")
    assert alice.desk.all() == []
    for damaged in ("{", '{"version": 2}', '{"version": 1, "contacts": {"a": 1}}'):
        alice.path.write_text(damaged)
        with pytest.raises(ContactRefused, match="cannot be read"):
            DetailsBook(FileStore(alice.path))
