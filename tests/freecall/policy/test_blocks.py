"""Who is blocked, on disk."""

from pathlib import Path

import pytest

from freecall.policy import blocks
from freecall.policy.blocks import Blocked, BlockList, BlocksDamaged, BlocksFull
from freecall.store import FileStore

BOB, CAROL = Blocked("B" * 40, "sip:bob@mesh", 5.0), Blocked("C" * 40, "", 6.0)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "blocked.json")


def test_a_block_outlives_the_node_and_so_does_its_end(store: FileStore) -> None:
    first = BlockList(store)
    first.block(BOB)
    first.block(CAROL)
    second = BlockList(store)
    assert list(second) == [BOB, CAROL]
    second.unblock(BOB.fingerprint)
    assert list(BlockList(store)) == [CAROL]
    assert BOB.fingerprint not in second


def test_who_is_blocked_twice_keeps_the_first_entry(store: FileStore) -> None:
    listed = BlockList(store)
    listed.block(BOB)
    assert listed.block(Blocked(BOB.fingerprint, "sip:robert@mesh", 9.0)) == BOB
    assert len(listed) == 1


def test_what_the_disk_did_not_take_is_not_believed(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = BlockList(store)

    def full(_data: bytes) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(store, "save", full)
    with pytest.raises(OSError, match="disk full"):
        listed.block(BOB)
    assert BOB.fingerprint not in listed


def test_the_list_has_an_end(store: FileStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MAX_BLOCKED", 1)
    listed = BlockList(store)
    listed.block(BOB)
    with pytest.raises(BlocksFull, match="1 people"):
        listed.block(CAROL)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b'{"version": 2, "blocked": []}',
        b'{"version": 1, "blocked": [{}]}',
        b"\xff",
        b'{"version": 1, "blocked": [{"fingerprint": "x", "uri": "", "since": 1}]}',
    ],
)
def test_a_damaged_list_unblocks_nobody_silently(store: FileStore, raw: bytes) -> None:
    store.path.write_bytes(raw)
    with pytest.raises(BlocksDamaged, match="blocked"):
        BlockList(store)
