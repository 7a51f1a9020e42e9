"""Bindings of our users' phones."""

import pytest
from hypothesis import given, strategies

from sipgate.location import Binding, Location, StaleRequest, TooManyBindings
from sipgate.ways import Route


def phone(key: str, *, cseq: int = 1, until: float = 100.0, call_id: str = "") -> Binding:
    return Binding(f"<sip:{key}>", key, call_id or f"call-{key}", cseq, until, Route((), "127.0.0.1"))


def test_each_device_has_its_own_binding() -> None:
    location = Location(cap=3)
    location.update("alice", (phone("desk"), phone("mobile", until=50)), 0)
    assert [each.key for each in location.bindings("alice", 10)] == ["desk", "mobile"]
    assert [each.key for each in location.bindings("alice", 60)] == ["desk"]
    assert location.bindings("bob", 0) == ()


def test_a_contact_that_expires_at_once_is_removed() -> None:
    location = Location(cap=3)
    location.update("alice", (phone("desk"),), 0)
    change = location.update("alice", (phone("desk", cseq=2, until=10),), 10)
    assert [each.key for each in change.removed] == ["desk"]
    assert location.bindings("alice", 10) == ()


def test_an_old_register_changes_nothing() -> None:
    location = Location(cap=3)
    location.update("alice", (phone("desk", cseq=5),), 0)
    with pytest.raises(StaleRequest):
        location.update("alice", (phone("mobile"), phone("desk", cseq=5, until=0)), 1)
    with pytest.raises(StaleRequest):
        location.clear("alice", "call-desk", 4, 1)
    assert [each.key for each in location.bindings("alice", 1)] == ["desk"]


def test_a_user_has_only_so_many_devices_but_may_always_refresh() -> None:
    location = Location(cap=2)
    location.update("alice", (phone("a"), phone("b")), 0)
    with pytest.raises(TooManyBindings):
        location.update("alice", (phone("c"),), 1)
    location.update("alice", (phone("a", cseq=2, until=200),), 1)
    location.update("alice", (phone("c", until=300),), 150)
    assert {each.key for each in location.bindings("alice", 150)} == {"a", "c"}


def test_all_bindings_are_removed_together() -> None:
    location = Location(cap=2)
    location.update("alice", (phone("a"), phone("b")), 0)
    assert len(location.clear("alice", "another", 1, 1).removed) == 2
    assert location.next_expiry() is None


def test_what_runs_out_is_told_once() -> None:
    location = Location(cap=2)
    location.update("alice", (phone("a", until=10), phone("b", until=20)), 0)
    assert location.next_expiry() == 10
    assert [(user, each.key) for user, each in location.expire(10)] == [("alice", "a")]
    assert location.expire(10) == ()


@given(
    strategies.lists(
        strategies.tuples(
            strategies.sampled_from("abcdef"), strategies.integers(0, 5), strategies.floats(0, 50)
        ),
        max_size=40,
    )
)
def test_no_story_of_registrations_exceeds_the_cap(story: list[tuple[str, int, float]]) -> None:
    location, now = Location(cap=3), 0.0
    for key, cseq, lasts in story:
        now += 1
        try:
            location.update("alice", (phone(key, cseq=cseq, until=now + lasts),), now)
        except (StaleRequest, TooManyBindings):
            continue
        assert len(location.bindings("alice", now)) <= 3
