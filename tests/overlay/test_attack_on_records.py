"""Attacks on what is stored: forged, replayed and rolled back records, floods of names, of values, of everything."""

import os
import random
from pathlib import Path

import pytest

from overlay.identity import NodeKey
from overlay.lookups import Found
from overlay.protocol.errors import StoreCode, StoreRefused
from overlay.protocol.nodeid import NodeId, node_id_of
from overlay.protocol.quota import MAX_PER_HOST
from overlay.protocol.record import MAX_VALUE_BYTES, Kind, blob_key, key_hint, sign_record
from overlay.protocol.record_store import MAX_SLOTS, RecordStore

from .attackers.forger import Forger, true_records

VICTIM = NodeKey.from_seed(b"v" * 32)
NAME = NodeId(b"n" * 20)
HOST, FORGER_HOST = "45.0.0.1", "46.0.0.1"
PLACES = [(Kind.CLAIM, NAME), (Kind.NODE, node_id_of(VICTIM.public_key))]


def refused(store: RecordStore, target: NodeId, kind: Kind, raw: bytes, host: str, now: float = 0) -> bool:
    """Try to store; tell whether it was refused."""
    try:
        store.put(target, kind, raw, host, now)
    except StoreRefused:
        return True
    return False


@pytest.mark.parametrize("count", [6_000, pytest.param(50_000, marks=pytest.mark.long)])
@pytest.mark.parametrize(("kind", "target"), PLACES)
def test_no_forgery_is_stored_and_none_is_believed(kind: Kind, target: NodeId, count: int) -> None:
    true = true_records(VICTIM, target, kind, 5)
    store = RecordStore()
    for record in true:
        store.put(target, kind, record.raw, HOST, 0)
    found = Found()
    assert found.take(target, kind, (true[-1].raw,)) == 1
    believed = 0
    for forgery in Forger(VICTIM, target, true, random.Random(1)).forgeries(count):
        believed += not refused(store, forgery.target, forgery.kind, forgery.raw, FORGER_HOST)
        if forgery.target == target:
            found.take(target, kind, (forgery.raw,))
    assert believed == 0
    assert store.get(target, 0) == [true[-1].raw]
    assert [record.raw for record in found.records.values()] == [true[-1].raw]


def test_what_has_expired_is_given_out_no_more_and_its_replay_does_not_outlive_a_newer_one() -> None:
    old, new = true_records(VICTIM, NAME, Kind.CLAIM, 2)
    store = RecordStore()
    store.put(NAME, Kind.CLAIM, new.raw, HOST, 0)
    assert refused(store, NAME, Kind.CLAIM, old.raw, FORGER_HOST, now=3599)
    assert store.get(NAME, 3600) == []


def claim_of(key: NodeKey, seq: int) -> bytes:
    """Sign a claim under the name."""
    return sign_record(Kind.CLAIM, NAME, key.public_key, seq, 3600, b"x" * 600, key.sign).raw


def test_a_flood_of_claims_displaces_nobody_and_the_hoped_for_claim_comes_first() -> None:
    """A thousand claimants from a thousand networks, with the highest numbers that there are; bob only renews his."""
    store = RecordStore()
    store.put(NAME, Kind.CLAIM, claim_of(VICTIM, 1), HOST, 0)
    accepted = 0
    for number in range(1000):
        key = NodeKey.from_seed(number.to_bytes(32, "big"))
        host = f"46.{number // 250}.{number % 250}.1"
        accepted += not refused(store, NAME, Kind.CLAIM, claim_of(key, 2**62), host, now=1 + number)
        if number % 100 == 99:
            store.put(NAME, Kind.CLAIM, claim_of(VICTIM, 2 + number), HOST, 1 + number)
    held = store.get(NAME, 1000)
    assert accepted == MAX_SLOTS - 1
    assert len(held) == MAX_SLOTS
    assert held[0] == claim_of(VICTIM, 1001)
    assert store.get(NAME, 1000, key_hint(VICTIM.public_key))[0] == claim_of(VICTIM, 1001)


def test_the_hoped_for_claim_comes_first_even_when_the_flood_was_there_before() -> None:
    store = RecordStore()
    for number in range(MAX_SLOTS - 1):
        key = NodeKey.from_seed(number.to_bytes(32, "big"))
        store.put(NAME, Kind.CLAIM, claim_of(key, 2**62), f"46.0.{number}.1", 0)
    store.put(NAME, Kind.CLAIM, claim_of(VICTIM, 1), HOST, 1)
    assert store.get(NAME, 2, key_hint(VICTIM.public_key))[0] == claim_of(VICTIM, 1)


def test_of_one_network_two_claims_stand_under_a_name() -> None:
    store = RecordStore()
    codes = []
    for number in range(10):
        key = NodeKey.from_seed(number.to_bytes(32, "big"))
        try:
            store.put(NAME, Kind.CLAIM, claim_of(key, 1), f"46.0.0.{number}", 0)
        except StoreRefused as error:
            codes.append(error.code)
    assert codes == [StoreCode.FULL] * 8


def resident_bytes() -> int:
    """Return the memory of this process now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_ten_thousand_kilobytes_from_one_address_leave_two_hundred_and_room_for_others() -> None:
    dice, store = random.Random(2), RecordStore()
    before = resident_bytes()
    accepted = 0
    for _ in range(10_000):
        value = dice.randbytes(MAX_VALUE_BYTES)
        accepted += not refused(store, blob_key(value), Kind.BLOB, value, FORGER_HOST)
    assert accepted == len(store) == MAX_PER_HOST
    assert resident_bytes() - before < 5_000_000
    assert not refused(store, blob_key(b"a key"), Kind.BLOB, b"a key", HOST)
