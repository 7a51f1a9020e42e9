"""The compositor's table: soft state, entity tags, caps."""

from collections.abc import Callable

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sipgate.protocol.errors import SipError
from sipgate.protocol.event_state import Publications


def publish(
    table: Publications[str],
    state: str | None,
    match: str | None = None,
    tag: str = "t1",
    lasts: float = 60,
    now: float = 0,
) -> None:
    table.publish("alice", match=match, state=state, lasts=lasts, tag=tag, now=now)


@pytest.mark.parametrize(
    ("match", "state", "lasts", "left"),
    [
        (None, "closed", 60, ["open", "closed"]),  # another phone publishes
        ("t1", None, 60, ["open"]),  # refresh
        ("t1", "closed", 60, ["closed"]),  # change
        ("t1", None, 0, []),  # removal
        ("t1", "closed", 0, []),  # removal, with a body that changes nothing
        (None, "closed", 0, ["open"]),  # published and gone at once
    ],
)
def test_each_kind_of_publish(match: str | None, state: str | None, lasts: float, left: list[str]) -> None:
    table: Publications[str] = Publications(5)
    publish(table, "open")
    publish(table, state, match, "t2", lasts)
    assert table.states("alice", 0) == left


@pytest.mark.parametrize(
    ("match", "state", "status"), [(None, None, 400), ("other", "open", 412), ("other", None, 412)]
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    match: str | None, state: str | None, status: int
) -> None:
    table: Publications[str] = Publications(5)
    publish(table, "open")
    with pytest.raises(SipError) as refused:
        publish(table, state, match, "t2")
    assert refused.value.status == status
    assert table.states("alice", 0) == ["open"]


def test_a_tag_counts_once() -> None:
    table: Publications[str] = Publications(5)
    publish(table, "open")
    publish(table, "closed", "t1", "t2")
    with pytest.raises(SipError):
        publish(table, "open", "t1", "t3")


def test_what_is_not_refreshed_runs_out() -> None:
    table: Publications[str] = Publications(5)
    publish(table, "open", lasts=60)
    assert table.next_expiry() == 60
    assert table.states("alice", 59) == ["open"]
    assert table.states("alice", 60) == []
    assert table.expire(60) == {"alice"}
    assert table.expire(60) == set()
    assert len(table) == 0
    assert table.next_expiry() is None


class Growth(RuleBasedStateMachine):
    """Whatever is published, no resource has more than its cap, and all of it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.table: Publications[int] = Publications(3)
        self.now = 0.0
        self.count = 0
        self.tags: list[str] = ["unknown"]

    def _try(self, action: Callable[[], None]) -> None:
        try:
            action()
        except SipError as error:
            assert error.status in (400, 403, 412)  # noqa: PT017 - it may also be taken

    @rule(
        resource=st.sampled_from("ab"),
        match=st.none() | st.integers(0, 5),
        state=st.none() | st.integers(),
        lasts=st.sampled_from([0, 10, 60]),
        wait=st.sampled_from([0, 1, 30]),
    )
    def publish(self, resource: str, match: int | None, state: int | None, lasts: float, wait: float) -> None:
        self.now += wait
        self.count += 1
        tag = f"t{self.count}"
        known = None if match is None else self.tags[-1 - match % len(self.tags)]
        self._try(
            lambda: self.table.publish(resource, match=known, state=state, lasts=lasts, tag=tag, now=self.now)
        )
        self.tags.append(tag)

    @invariant()
    def bounded(self) -> None:
        assert len(self.table) <= 6
        assert all(len(self.table.states(each, self.now)) <= 3 for each in "ab")

    def teardown(self) -> None:
        self.table.expire(self.now + 60)
        assert len(self.table) == 0


TestGrowth = Growth.TestCase
