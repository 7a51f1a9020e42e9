"""How often strangers ring within an hour."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.policy.budget import HOUR, Budget, network_of


def rings(budget: Budget, fingerprint: str, host: str, now: float) -> bool:
    if budget.wait(fingerprint, host, now):
        return False
    budget.take(fingerprint, host, now)
    return True


def test_one_key_has_one_ring_less_than_all() -> None:
    budget = Budget(3)
    assert [rings(budget, "A", f"192.0.{n}.1", n) for n in range(4)] == [True, True, False, False]
    assert rings(budget, "B", "192.0.9.1", 9)
    assert not rings(budget, "C", "192.0.10.1", 10)


@pytest.mark.parametrize(
    "hosts", [("192.0.2.1", "::ffff:192.0.2.99"), ("2001:db8:0:100::1", "2001:db8:0:1ff::2%eth0")]
)
def test_so_has_one_network(hosts: tuple[str, str]) -> None:
    budget = Budget(3)
    assert [rings(budget, key, hosts[n % 2], n) for n, key in enumerate("ABC")] == [True, True, False]
    assert rings(budget, "D", "203.0.113.1", 5)


def test_after_an_hour_there_is_room_again_and_the_wait_says_when() -> None:
    budget = Budget(2)
    assert rings(budget, "A", "192.0.2.1", 100)
    assert budget.wait("A", "198.51.100.1", 160) == HOUR - 60
    assert not budget.wait("B", "198.51.100.1", 160)
    assert not budget.wait("A", "192.0.2.1", 100 + HOUR)


def test_whoever_could_not_show_their_key_costs_nothing() -> None:
    budget, call = Budget(1), object()
    budget.take("A", "192.0.2.1", 0, call=call)
    budget.give_back(object())
    assert budget.wait("C", "192.0.3.1", 1)
    budget.give_back(call)
    assert not budget.wait("C", "192.0.3.1", 2)


def test_a_budget_of_nothing_lets_nobody_ring() -> None:
    assert Budget(0).wait("A", "192.0.2.1", 0) == HOUR


def test_an_address_that_is_none_counts_for_itself() -> None:
    assert network_of("somewhere") == "somewhere"
    assert network_of("192.0.2.77") == "192.0.2.0/24"


calls = st.lists(st.tuples(st.sampled_from("ABCDE"), st.integers(0, 9), st.floats(0, 900)), max_size=60)


@given(st.integers(1, 5), calls)
def test_no_hour_has_more_rings_than_it_may_and_the_table_is_as_small(
    cap: int, sequence: list[tuple[str, int, float]]
) -> None:
    budget, now, rung = Budget(cap), 0.0, []
    for key, network, pause in sequence:
        now += pause
        if rings(budget, key, f"192.0.{network}.1", now):
            rung.append((now, key, network))
        assert len(budget) <= cap
    for at, key, network in rung:
        hour = [each for each in rung if at - HOUR < each[0] <= at]
        assert len(hour) <= cap
        share = max(cap - 1, 1)
        assert sum(each[1] == key for each in hour) <= share
        assert sum(each[2] == network for each in hour) <= share
