"""What a node keeps for others, and what it does not let others do to it."""

from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from overlay.identity import NodeKey
from overlay.protocol import record_store
from overlay.protocol.endpoint import prefix
from overlay.protocol.errors import StoreCode, StoreRefused
from overlay.protocol.prefix_limit import MAX_PER_PREFIX
from overlay.protocol.quota import MAX_PER_HOST, MAX_PER_NETWORK
from overlay.protocol.record import MAX_TTL_SECONDS, Kind, blob_key, key_hint, sign_record
from overlay.protocol.record_store import MAX_SLOTS, OWN, RecordStore

KEYS = [NodeKey.from_seed(n.to_bytes(32, "big")) for n in range(MAX_SLOTS + 2)]
TARGET = b"t" * 20
HOST = "192.168.1.5"


def claim(
    key: NodeKey = KEYS[0], seq: int = 1, payload: bytes = b"x", ttl: int = 60, target: bytes = TARGET
) -> bytes:
    """Sign a claim."""
    return sign_record(Kind.CLAIM, target, key.public_key, seq, ttl, payload, key.sign).raw


def put_blobs(store: RecordStore, count: int, host: str, start: int = 0) -> None:
    """Store different blobs from one address."""
    for number in range(start, start + count):
        data = b"%d" % number
        store.put(blob_key(data), Kind.BLOB, data, host, 0)


def refusal(
    store: RecordStore, raw: bytes, host: str = HOST, kind: int = Kind.CLAIM, now: float = 0
) -> StoreCode:
    """Return why a value is refused."""
    with pytest.raises(StoreRefused) as caught:
        store.put(TARGET, kind, raw, host, now)
    return caught.value.code


def test_a_value_is_given_until_its_time_is_over() -> None:
    store = RecordStore()
    store.put(TARGET, Kind.CLAIM, claim(ttl=60), HOST, 100)
    assert store.get(TARGET, 159) == [claim(ttl=60)]
    assert store.get(TARGET, 160) == []
    assert len(store) == 0


def test_a_value_that_is_handed_on_dies_of_old_age() -> None:
    first, second, third = RecordStore(), RecordStore(), RecordStore()
    first.put(TARGET, Kind.CLAIM, claim(ttl=60), HOST, 100)
    (held,) = first.held()
    assert held.age(100) == 0
    assert held.age(129.5) == 30
    second.put(TARGET, Kind.CLAIM, held.raw, HOST, 1000, held.age(130))
    assert second.get(TARGET, 1029) == [claim(ttl=60)]
    assert second.get(TARGET, 1030) == []
    with pytest.raises(StoreRefused) as caught:
        third.put(TARGET, Kind.CLAIM, held.raw, HOST, 1000, 60)
    assert caught.value.code is StoreCode.STALE


def test_an_old_copy_does_not_shorten_the_life_of_a_fresh_one() -> None:
    store = RecordStore()
    store.put(TARGET, Kind.CLAIM, claim(ttl=60), HOST, 100)
    store.put(TARGET, Kind.CLAIM, claim(ttl=60), HOST, 100, 50)
    assert store.get(TARGET, 159) == [claim(ttl=60)]


def test_expired_values_make_room_without_being_asked_for() -> None:
    store = RecordStore()
    put_blobs(store, 5, HOST)
    store.expire(MAX_TTL_SECONDS - 1)
    assert len(store) == 5
    store.expire(MAX_TTL_SECONDS)
    assert len(store) == 0


def test_a_higher_sequence_number_replaces_a_lower_is_refused() -> None:
    store = RecordStore()
    store.put(TARGET, Kind.CLAIM, claim(seq=5), HOST, 0)
    store.put(TARGET, Kind.CLAIM, claim(seq=6), HOST, 0)
    assert store.get(TARGET, 0) == [claim(seq=6)]
    assert refusal(store, claim(seq=5)) is StoreCode.STALE
    assert refusal(store, claim(seq=6, payload=b"y")) is StoreCode.STALE
    assert store.get(TARGET, 0) == [claim(seq=6)]


def test_nobody_overwrites_anothers_claim() -> None:
    store = RecordStore()
    store.put(TARGET, Kind.CLAIM, claim(KEYS[0]), HOST, 0)
    store.put(TARGET, Kind.CLAIM, claim(KEYS[1], seq=9), HOST, 0)
    assert store.get(TARGET, 0) == [claim(KEYS[0]), claim(KEYS[1], seq=9)]


def test_a_withdrawn_claim_is_gone_and_an_old_copy_does_not_bring_it_back() -> None:
    store = RecordStore()
    store.put(TARGET, Kind.CLAIM, claim(seq=5), HOST, 0)
    store.put(TARGET, Kind.CLAIM, claim(seq=6, payload=b""), HOST, 0)
    assert store.get(TARGET, 0) == []
    assert len(store) == 1
    assert refusal(store, claim(seq=5)) is StoreCode.STALE


def test_the_same_bytes_again_are_kept_longer_and_cost_no_signature_check() -> None:
    store = RecordStore()
    store.put(TARGET, Kind.CLAIM, claim(), HOST, 0)
    with patch.object(record_store, "parse_record", side_effect=AssertionError("checked again")):
        store.put(TARGET, Kind.CLAIM, claim(), "192.168.1.6", 50)
    assert store.get(TARGET, 100) == [claim()]


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"noise", Kind.CLAIM),
        (claim(), Kind.NODE),
        (claim(), Kind.BLOB),
        (claim(target=bytes(20)), Kind.CLAIM),
        (b"x", 0),
    ],
)
def test_what_fails_its_check_is_invalid(raw: bytes, kind: int) -> None:
    store = RecordStore()
    assert refusal(store, raw, kind=kind) is StoreCode.INVALID
    assert len(store) == 0


def test_one_address_cannot_store_without_end() -> None:
    store = RecordStore()
    put_blobs(store, MAX_PER_HOST, HOST)
    assert refusal(store, claim()) is StoreCode.FULL
    store.put(TARGET, Kind.CLAIM, claim(), "192.168.1.6", 0)


def test_one_network_cannot_store_without_end() -> None:
    store = RecordStore()
    for host in range(2):
        put_blobs(store, MAX_PER_HOST, f"45.0.0.{host}", start=1000 * host)
    assert MAX_PER_NETWORK == 2 * MAX_PER_HOST
    assert refusal(store, claim(), "45.0.0.9") is StoreCode.FULL
    store.put(TARGET, Kind.CLAIM, claim(), "45.0.1.9", 0)


def test_one_name_takes_a_bounded_number_of_claims() -> None:
    store = RecordStore()
    for key in KEYS[:MAX_SLOTS]:
        store.put(TARGET, Kind.CLAIM, claim(key), HOST, 0)
    assert refusal(store, claim(KEYS[MAX_SLOTS])) is StoreCode.FULL
    store.put(TARGET, Kind.CLAIM, claim(KEYS[0], seq=2), HOST, 0)


def test_one_network_takes_few_of_the_places_under_a_name() -> None:
    store = RecordStore()
    for number in range(MAX_PER_PREFIX):
        store.put(TARGET, Kind.CLAIM, claim(KEYS[number]), f"45.0.0.{number}", 0)
    assert refusal(store, claim(KEYS[5]), "45.0.0.77") is StoreCode.FULL
    store.put(TARGET, Kind.CLAIM, claim(KEYS[5]), "45.0.1.77", 0)


def test_the_store_as_a_whole_is_bounded_and_what_has_expired_makes_room() -> None:
    store = RecordStore(max_values=10)
    put_blobs(store, 10, HOST)
    assert refusal(store, claim()) is StoreCode.FULL
    store.put(TARGET, Kind.CLAIM, claim(), HOST, MAX_TTL_SECONDS)
    assert len(store) == 1


def test_a_refused_replacement_leaves_the_old_value() -> None:
    store = RecordStore()
    store.put(TARGET, Kind.CLAIM, claim(seq=1), "192.168.1.6", 0)
    put_blobs(store, MAX_PER_HOST, HOST)
    assert refusal(store, claim(seq=2)) is StoreCode.FULL
    assert store.get(TARGET, 0) == [claim(seq=1)]


def test_own_values_need_no_room_of_others() -> None:
    store = RecordStore(max_values=10)
    put_blobs(store, 10, HOST)
    store.put(TARGET, Kind.CLAIM, claim(), OWN, 0)
    assert store.get(TARGET, 0) == [claim()]


def test_a_value_that_came_back_from_others_becomes_our_own_again() -> None:
    store = RecordStore()
    store.put(TARGET, Kind.CLAIM, claim(), HOST, 0)
    store.put(TARGET, Kind.CLAIM, claim(), OWN, 0)
    assert [held.host for held in store.held()] == [OWN]
    assert not store._quota._per_host


class AnyStores(RuleBasedStateMachine):
    """Any order of stores, replacements and expiries."""

    def __init__(self) -> None:
        super().__init__()
        self.store = RecordStore(max_values=12)
        self.now = 0.0

    @rule(
        key=st.sampled_from(KEYS[:6]),
        seq=st.integers(0, 5),
        ttl=st.sampled_from([10, 100]),
        name=st.sampled_from([TARGET, bytes(20), b"u" * 20]),
        host=st.sampled_from([OWN, HOST, "45.0.0.1", "45.0.0.2", "45.0.1.1"]),
        payload=st.sampled_from([b"", b"x"]),
    )
    def put(self, key: NodeKey, seq: int, ttl: int, name: bytes, host: str, payload: bytes) -> None:
        """Store, or be refused."""
        raw = claim(key, seq, payload, ttl, name)
        try:
            self.store.put(name, Kind.CLAIM, raw, host, self.now)
        except StoreRefused:
            return
        assert (raw in self.store.get(name, self.now)) == bool(payload)

    @rule(seconds=st.sampled_from([1, 50]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds
        self.store.expire(self.now)

    @invariant()
    def the_counts_are_right(self) -> None:
        """What is counted per address and network is what is there."""
        foreign = [held for held in self.store.held() if held.host != OWN]
        assert self.store._quota._per_host.total() == len(foreign) <= 12
        assert self.store._quota._per_network.total() == sum(
            prefix(held.host) is not None for held in foreign
        )
        assert sum(len(slots) for slots in self.store._by_target.values()) == len(self.store)
        assert all(self.store._by_target.values())


TestAnyStores = AnyStores.TestCase
TestAnyStores.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def test_who_was_here_first_comes_first_and_who_is_hoped_for_before_all() -> None:
    store = RecordStore()
    for now, key in enumerate(KEYS[:3]):
        store.put(TARGET, Kind.CLAIM, claim(key), HOST, now)
    store.put(TARGET, Kind.CLAIM, claim(KEYS[0], seq=9), HOST, 5)
    first, second, third = claim(KEYS[0], seq=9), claim(KEYS[1]), claim(KEYS[2])
    assert store.get(TARGET, 6) == [first, second, third]
    assert store.get(TARGET, 6, key_hint(KEYS[2].public_key)) == [third, first, second]
