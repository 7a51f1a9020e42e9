"""Requests are answered up to a rate."""

from overlay.protocol.request_budget import (
    ALL_BURST,
    ALL_RATE,
    MAX_NETWORKS,
    PER_NETWORK_BURST,
    PER_NETWORK_RATE,
    RequestBudget,
)


def taken(budget: RequestBudget, host: str, tries: int, now: float) -> int:
    """Count the requests that are allowed."""
    return sum(budget.allows(host, now) for _ in range(tries))


def test_one_network_has_a_burst_and_then_a_rate() -> None:
    budget = RequestBudget()
    assert taken(budget, "45.0.0.1", 1000, 0) == PER_NETWORK_BURST
    assert taken(budget, "45.0.0.2", 1000, 1) == PER_NETWORK_RATE
    assert taken(budget, "45.0.1.1", 10, 1) == 10


def test_all_together_have_a_budget_too() -> None:
    budget = RequestBudget()
    assert taken(budget, "127.0.0.1", 10_000, 0) == ALL_BURST
    assert not budget.allows("45.0.0.1", 0)
    assert taken(budget, "127.0.0.1", 10_000, 1) == ALL_RATE


def test_a_clock_that_stands_still_or_goes_back_gives_nothing() -> None:
    budget = RequestBudget()
    taken(budget, "45.0.0.1", 1000, 100)
    assert not budget.allows("45.0.0.1", 50)


def test_the_table_of_networks_is_bounded() -> None:
    budget = RequestBudget()
    for number in range(MAX_NETWORKS + 50):
        budget.allows(f"45.{number // 256}.{number % 256}.1", number)
    assert len(budget._networks) == MAX_NETWORKS
