"""The watch over a path: every cell of its table, and what it does in time."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocol.path_watch import TABLE, Action, Input, PathWatch, State


def test_the_table_has_every_cell() -> None:
    assert set(TABLE) == set(product(State, Input))


@pytest.mark.parametrize("given_input", Input)
def test_what_is_over_stays_over_in_silence(given_input: Input) -> None:
    assert TABLE[State.OVER, given_input] == (State.OVER, ())


def test_lost_and_found_are_told_in_turn() -> None:
    for (state, _), (after, actions) in TABLE.items():
        assert (Action.TELL_LOST in actions) == (after is State.LOST and state is not State.LOST)
        assert (Action.TELL_FOUND in actions) == (state is State.LOST and after is State.HEARD)
        assert (Action.GIVE_UP in actions) == (after is State.OVER and state is not State.OVER)


def _silence(watch: PathWatch, until: float, since: float = 0.0) -> list[tuple[float, Action]]:
    """Look as often as the watch wants to; return when it did what."""
    found, now = [], since
    while now < until:
        now = round(now + watch.pause, 3)
        found += [(now, action) for action in watch.look(now, heard=False)]
    return found


def test_silence_is_asked_about_then_repaired_then_told_then_given_up() -> None:
    first: dict[Action, float] = {}
    for at, action in _silence(PathWatch(0.0), 20.0):
        first.setdefault(action, at)
    assert first[Action.PROBE] == 0.5
    assert 1.0 <= first[Action.RENEW] <= 1.2
    assert 2.0 <= first[Action.TELL_LOST] <= 2.2
    assert 12.0 <= first[Action.GIVE_UP] <= 12.2


def test_a_repair_is_tried_again_every_other_second() -> None:
    times = [at for at, action in _silence(PathWatch(0.0), 11.0) if action is Action.RENEW]
    assert len(times) == 6  # the second is the one of the moment when the path counts as lost


def test_what_was_exchanged_serves_for_a_while() -> None:
    watch = PathWatch(0.0)
    watch.look(0.5, heard=False)
    watch.renewed()
    renewed = [at for at, action in _silence(watch, 3.5, 0.5) if action is Action.RENEW]
    assert renewed[0] >= 2.0
    assert watch.look(3.6, heard=True) == (Action.TELL_FOUND,)
    assert watch.gap == pytest.approx(3.6)
    assert Action.RENEW in [action for _, action in _silence(watch, 5.0, 3.6)]


def test_a_node_that_was_held_up_gives_nobody_up() -> None:
    watch = PathWatch(0.0)
    assert watch.look(100.0, heard=False) == (Action.PROBE, Action.RENEW)
    assert watch.look(100.1, heard=True) == ()


def test_who_is_heard_is_left_alone() -> None:
    watch = PathWatch(0.0)
    assert all(watch.look(tick / 2, heard=True) == () for tick in range(1, 100))


@given(st.lists(st.tuples(st.floats(0.01, 5.0), st.booleans()), max_size=60))
def test_it_is_never_lost_while_the_peer_is_heard_every_other_second(looks: list[tuple[float, bool]]) -> None:
    watch, now, heard_at = PathWatch(0.0), 0.0, 0.0
    for pause, heard in looks:
        now += pause
        actions = watch.look(now, heard=heard)
        if heard and watch.state is not State.OVER:
            heard_at = now
        silent = now - heard_at
        assert (Action.GIVE_UP not in actions) or silent >= 12.0
        assert (Action.RENEW not in actions) or silent >= 1.0
        assert (Action.TELL_LOST not in actions) or silent >= 2.0
