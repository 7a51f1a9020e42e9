"""Sequence numbers survive everything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overlay.sequence import BLOCK, Sequence

from .swarm import FullDisk, MemoryStore


@given(st.lists(st.integers(0, 3 * BLOCK), max_size=5))
def test_no_number_is_used_twice_however_often_the_power_fails(lives: list[int]) -> None:
    store = MemoryStore()
    last = 0
    for numbers in lives:
        sequence = Sequence(store)
        for _ in range(numbers):
            number = sequence.next()
            assert number > last
            last = number


def test_numbers_are_reserved_before_they_are_used() -> None:
    sequence = Sequence(FullDisk())
    for _ in range(2):
        with pytest.raises(OSError, match="space"):
            sequence.next()


@pytest.mark.parametrize("data", [b"", b"x", b"-5", b"9" * 30, b"0", b"\xff\xfe", "٣".encode(), b"1.5"])
def test_a_damaged_file_starts_again_at_one(data: bytes) -> None:
    assert Sequence(MemoryStore(data)).next() == 1


def test_without_a_file_it_counts_in_memory() -> None:
    sequence = Sequence(None)
    assert [sequence.next() for _ in range(3)] == [1, 2, 3]


def test_a_skip_is_written_down_too() -> None:
    store = MemoryStore()
    sequence = Sequence(store)
    sequence.next()
    sequence.skip(2**32)
    assert sequence.next() > 2**32
    assert Sequence(store).next() > 2**32
