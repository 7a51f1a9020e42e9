"""Which refusal of several the caller hears."""

import pytest
from hypothesis import given, strategies

from sipgate.protocol.fork import Fork, preference


def fork(*branches: str) -> Fork[str, int]:
    return Fork(set(branches))


def test_the_last_refusal_decides() -> None:
    one = fork("desk", "mobile")
    assert one.fail("desk", 486, 486) is None
    assert one.fail("mobile", 408, 408) == 486


def test_a_decline_everywhere_decides_at_once() -> None:
    one = fork("desk", "mobile")
    assert one.fail("desk", 603, 603) == 603
    assert one.pending == {"mobile"}


def test_a_branch_fails_only_once() -> None:
    one = fork("desk", "mobile")
    one.fail("desk", 486, 486)
    assert one.fail("desk", 603, 603) is None


@pytest.mark.parametrize(
    ("statuses", "heard"),
    [
        ([408, 480, 486], 486),
        ([480, 488], 488),
        ([500, 480], 480),
        ([503, 500], 500),
        ([302, 486], 486),
        ([404, 603], 603),
        ([481, 415, 404], 415),
    ],
)
def test_the_most_telling_refusal_is_passed_on(statuses: list[int], heard: int) -> None:
    assert min(statuses, key=preference) == heard


@given(strategies.lists(strategies.integers(300, 699), min_size=1, max_size=10))
def test_a_fork_always_comes_to_a_decision(statuses: list[int]) -> None:
    one = fork(*(str(number) for number in range(len(statuses))))
    decided = [one.fail(str(number), status, status) for number, status in enumerate(statuses)]
    assert decided[-1] is not None or any(each is not None for each in decided)
    assert set(decided) - {None} <= set(statuses)
