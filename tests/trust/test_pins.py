"""Pins: the first key stays, another is a conflict, nothing is forgotten in silence."""

import json

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.trust.memory_store import MemoryStore
from trust.pins import PinConflict, Pins, PinsDamaged, PinsFull, TrustState, UnknownPin
from trust.uris import BadUri, self_certifying_uri

ALICE = "sip:alice@mesh"
KEY_A, KEY_B = "A" * 40, "B" * 40


def test_a_person_goes_from_new_to_pinned_to_verified() -> None:
    pins = Pins(MemoryStore())
    assert pins.state_of(ALICE, KEY_A) is TrustState.NEW
    pins.pin(ALICE, KEY_A, b"key", 5.0)
    assert pins.state_of(ALICE, KEY_A) is TrustState.PINNED
    pins.verify(ALICE)
    assert pins.state_of(ALICE, KEY_A) is TrustState.VERIFIED


def test_another_key_is_a_conflict_and_is_never_pinned_over() -> None:
    store = MemoryStore()
    pins = Pins(store)
    pins.pin(ALICE, KEY_A, b"key", 5.0)
    assert pins.state_of(ALICE, KEY_B) is TrustState.CONFLICT
    with pytest.raises(PinConflict, match="alice@mesh is already known under another key"):
        pins.pin(ALICE, KEY_B, b"other", 6.0)
    found = Pins(store).get(ALICE)
    assert found is not None
    assert (found.fingerprint, found.key, found.since) == (KEY_A, b"key", 5.0)


def test_a_long_address_conflicts_with_any_key_but_its_own() -> None:
    pins = Pins(MemoryStore())
    uri = self_certifying_uri("alice", KEY_A)
    assert pins.state_of(uri, KEY_A) is TrustState.NEW
    assert pins.state_of(uri, KEY_B) is TrustState.CONFLICT
    with pytest.raises(PinConflict):
        pins.pin(uri, KEY_B, b"key", 1.0)


def test_pins_outlive_the_process() -> None:
    store = MemoryStore()
    pins = Pins(store)
    pins.pin(ALICE, KEY_A, bytes(range(256)), 5.5)
    pins.verify(ALICE)
    assert Pins(store).get(ALICE) == pins.get(ALICE)


def test_pinning_again_keeps_the_date_and_the_mark_and_renews_the_key() -> None:
    pins = Pins(MemoryStore())
    pins.pin(ALICE, KEY_A, b"old", 1.0)
    pins.verify(ALICE)
    pins.pin(ALICE, KEY_A, b"new", 2.0)
    pin = pins.get(ALICE)
    assert pin is not None
    assert (pin.key, pin.since, pin.verified) == (b"new", 1.0, True)


def test_the_node_that_spoke_for_a_person_last_is_remembered() -> None:
    store = MemoryStore()
    pins = Pins(store)
    for node in (b"", bytes(32), b"n" * 32, b""):
        pins.pin(ALICE, KEY_A, b"key", 1.0, node)
    pin = Pins(store).get(ALICE)
    assert pin is not None
    assert pin.node_public_key == b"n" * 32


def test_a_file_of_the_first_version_names_no_nodes() -> None:
    pin = Pins(MemoryStore(json.dumps({"version": 1, "pins": [ROW]}).encode())).get(ALICE)
    assert pin is not None
    assert pin.node_public_key == b""


def test_a_forgotten_person_is_new_again() -> None:
    pins = Pins(MemoryStore())
    pins.pin(ALICE, KEY_A, b"key", 1.0)
    pins.forget(ALICE)
    pins.forget(ALICE)
    assert pins.state_of(ALICE, KEY_B) is TrustState.NEW
    with pytest.raises(UnknownPin, match="No key is known"):
        pins.verify(ALICE)


def test_a_full_table_takes_nobody_new_and_forgets_nobody() -> None:
    pins = Pins(MemoryStore(), limit=2)
    for name in ("a", "b"):
        pins.pin(f"sip:{name}@mesh", KEY_A, b"key", 1.0)
    with pytest.raises(PinsFull, match="2 people"):
        pins.pin("sip:c@mesh", KEY_A, b"key", 1.0)
    pins.pin("sip:a@mesh", KEY_A, b"renewed", 1.0)
    assert len(pins) == 2


def test_what_could_not_be_written_is_not_believed() -> None:
    store = MemoryStore()
    pins = Pins(store)
    store.is_full = True
    with pytest.raises(OSError, match="No space"):
        pins.pin(ALICE, KEY_A, b"key", 1.0)
    assert pins.state_of(ALICE, KEY_A) is TrustState.NEW


ROW = {"uri": ALICE, "fingerprint": KEY_A, "key": "a2V5", "since": 1.0, "verified": False}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"version": 2, "pins": []}',
        b'{"version": 1}',
        b'{"version": 1, "pins": 5}',
        *(
            json.dumps({"version": 1, "pins": [{**ROW, **change}]}).encode()
            for change in (
                {"uri": "alice"},
                {"uri": self_certifying_uri("alice", KEY_B)},
                {"uri": 5},
                {"fingerprint": KEY_A.lower()},
                {"fingerprint": None},
                {"key": "not base64!"},
                {"key": 5},
                {"since": "yesterday"},
                {"verified": "yes"},
            )
        ),
    ],
)
def test_a_damaged_file_is_told_and_never_taken_for_an_empty_one(content: bytes) -> None:
    with pytest.raises(PinsDamaged, match="file of known people"):
        Pins(MemoryStore(content))


def test_an_address_that_is_not_canonical_is_refused() -> None:
    with pytest.raises(BadUri):
        Pins(MemoryStore()).state_of("sip:Alice@mesh", KEY_A)


class PinsMachine(RuleBasedStateMachine):
    """Pins against a plain dictionary, with restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        self.pins = Pins(self.store)
        self.model: dict[str, str] = {}

    names = st.sampled_from([ALICE, "sip:bob@mesh", self_certifying_uri("carol", KEY_A)])
    keys = st.sampled_from([KEY_A, KEY_B])

    @rule(uri=names, fingerprint=keys)
    def pin(self, uri: str, fingerprint: str) -> None:
        is_own = "carol" not in uri or fingerprint == KEY_A
        if is_own and self.model.get(uri, fingerprint) == fingerprint:
            self.pins.pin(uri, fingerprint, b"k", 1.0)
            self.model[uri] = fingerprint
        else:
            with pytest.raises(PinConflict):
                self.pins.pin(uri, fingerprint, b"k", 1.0)

    @rule(uri=names)
    def forget(self, uri: str) -> None:
        self.pins.forget(uri)
        self.model.pop(uri, None)

    @rule()
    def restart(self) -> None:
        self.pins = Pins(self.store)

    @invariant()
    def every_pin_is_there_and_no_other_key_passes(self) -> None:
        assert len(self.pins) == len(self.model)
        for uri, fingerprint in self.model.items():
            other = KEY_B if fingerprint == KEY_A else KEY_A
            assert self.pins.state_of(uri, fingerprint) is TrustState.PINNED
            assert self.pins.state_of(uri, other) is TrustState.CONFLICT


TestPinsAsAMachine = PinsMachine.TestCase
