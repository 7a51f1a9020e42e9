"""Several lists of one network become one."""

from hypothesis import given
from hypothesis import strategies as st

from overlay.protocol.bootstrap_list import MAX_NODES, BootstrapList, Entry
from overlay.protocol.bootstrap_merge import merge
from overlay.protocol.endpoint import Endpoint

from .test_bootstrap_list import DAY, MADE, entries, lists


def node(number: int, score: int = 50, days: int = 0) -> Entry:
    """Return an entry."""
    return Entry(Endpoint("192.0.2.1", number), score, days)


def listed(*nodes: Entry, made: int = MADE, lifetime: int = 0) -> BootstrapList:
    """Return a list."""
    return BootstrapList("flood", nodes, made, lifetime)


@given(
    st.lists(lists, max_size=4),
    st.lists(entries, max_size=6, unique_by=lambda entry: entry.endpoint),
    st.integers(-(2**40), 2**40),
)
def test_every_node_is_kept_once_and_the_best_come_first(
    some: list[BootstrapList], own: list[Entry], now: int
) -> None:
    merged = merge(some, own, now=now)
    named = {entry.endpoint for made in some for entry in made.entries} | {entry.endpoint for entry in own}
    assert sorted(entry.endpoint for entry in merged) == sorted(named)
    assert list(merged) == sorted(merged, key=lambda entry: entry.rank)
    assert all(0 <= entry.score <= 100 and 0 <= entry.days <= 255 for entry in merged)


def test_what_we_reached_ourselves_counts_more_than_hearsay() -> None:
    merged = merge([listed(node(1, 100), node(2, 80))], [node(3, 60)], now=MADE)
    assert merged == (node(3, 60), node(1, 50), node(2, 40))


def test_the_best_opinion_counts_and_of_two_alike_the_newest() -> None:
    older, newer = listed(node(1, 40), made=MADE - 9 * DAY), listed(node(1, 40), made=MADE)
    assert merge([older, newer], [], now=MADE) == (node(1, 20, 0),)
    assert merge([newer, listed(node(1, 90), made=MADE - DAY)], [], now=MADE) == (node(1, 45, 1),)


def test_days_are_counted_back_from_now() -> None:
    assert merge([listed(node(1, 50, 3))], [], now=MADE + 4 * DAY) == (node(1, 25, 7),)
    assert merge([listed(node(1, 50, 3))], [], now=MADE + 4000 * DAY) == (node(1, 25, 255),)


def test_a_clock_before_the_list_was_made_changes_nothing() -> None:
    assert merge([listed(node(1, 50, 3), lifetime=5)], [], now=0) == (node(1, 25, 3),)


def test_a_list_past_its_lifetime_is_used_after_the_others() -> None:
    old, new = listed(node(1, 100), made=MADE - 90 * DAY, lifetime=30), listed(node(2, 60))
    assert [entry.endpoint.port for entry in merge([old, new], [], now=MADE)] == [2, 1]


def test_a_long_list_with_high_scores_pushes_no_other_out() -> None:
    hostile = listed(*(node(1 + number, 100) for number in range(MAX_NODES)))
    honest = listed(*(node(1000 + number, 10) for number in range(50)))
    own = [node(2000 + number, 100) for number in range(20)]
    merged = merge([hostile, honest], own, now=MADE)
    assert len(merged) == MAX_NODES
    ports = {entry.endpoint.port for entry in merged}
    assert all(entry.endpoint.port in ports for entry in (*honest.entries, *own))


def test_there_is_a_limit() -> None:
    many = [listed(*(node(1 + 200 * turn + number) for number in range(200))) for turn in range(5)]
    assert len(merge(many, [], now=MADE)) == MAX_NODES
    assert len(merge(many, [], now=MADE, most=7)) == 7
