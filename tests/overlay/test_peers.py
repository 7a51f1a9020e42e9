"""The nodes met before."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.peers import MAX_PEERS, RememberedPeers
from overlay.protocol.endpoint import Endpoint

from .protocol.strategies import endpoints
from .swarm import FullDisk, MemoryStore

A, B = Endpoint("127.0.0.1", 1), Endpoint("::1", 2)


@given(st.lists(endpoints, unique=True, max_size=20))
def test_who_was_met_is_remembered(some: list[Endpoint]) -> None:
    store = MemoryStore()
    RememberedPeers(store).save(some)
    assert RememberedPeers(store).load() == some


def test_those_seen_last_come_first() -> None:
    peers = RememberedPeers(MemoryStore())
    peers.save([A])
    peers.save([B])
    assert peers.load() == [B, A]


def test_only_changes_are_written() -> None:
    store = MemoryStore()
    peers = RememberedPeers(store)
    for _ in range(3):
        peers.save([A])
    assert len(store.saved) == 1


def test_who_has_not_been_seen_for_how_many_hours_is_remembered_over_restarts() -> None:
    store = MemoryStore()
    peers = RememberedPeers(store)
    peers.save([A, B])
    peers.save([B], elapsed=1.5 * 3600)
    assert peers.hours_unseen() == {B: 0, A: 1}
    again = RememberedPeers(store)
    again.save([], elapsed=3 * 3600)
    assert again.hours_unseen() == {B: 3, A: 4}
    assert RememberedPeers(store).load() == [B, A]


def test_a_minute_more_is_no_reason_to_write() -> None:
    store = MemoryStore()
    peers = RememberedPeers(store)
    peers.save([A, B])
    for _ in range(30):
        peers.save([B, A], elapsed=60)
        peers.save([A], elapsed=60)
    assert len(store.saved) == 1


def test_there_are_200_at_most() -> None:
    store = MemoryStore()
    RememberedPeers(store).save(Endpoint("127.0.0.1", 1 + n) for n in range(2 * MAX_PEERS))
    assert len(RememberedPeers(store).load()) == MAX_PEERS


@pytest.mark.parametrize(
    "data",
    [b"", b"\xc1", b"\x91", msgpack.packb(7), msgpack.packb([b"short"]), msgpack.packb([[1]]), bytes(5000)],
)
def test_a_damaged_file_is_an_empty_one(data: bytes) -> None:
    assert RememberedPeers(MemoryStore(data)).load() == []


@given(st.binary(max_size=100))
def test_any_file_is_a_list_of_endpoints(data: bytes) -> None:
    assert all(isinstance(peer, Endpoint) for peer in RememberedPeers(MemoryStore(data)).load())


def test_a_full_disk_is_no_reason_to_stop() -> None:
    peers = RememberedPeers(FullDisk())
    peers.save([A])
    assert peers.load() == [A]


def test_without_a_file_they_are_remembered_until_the_end() -> None:
    peers = RememberedPeers(None)
    peers.save([A])
    assert peers.load() == [A]
