"""The notifier's table, cell by cell."""

import itertools

import pytest

from sipgate.protocol.notifier import Action, Input, State, step

S, On = State, Input
TELL = (Action.NOTIFY,)
CHANGES = {
    (S.PENDING, On.GRANTED): S.ACTIVE,
    (S.ACTIVE, On.WITHDRAWN): S.PENDING,
}
ENDS = {On.UNSUBSCRIBED, On.EXPIRED, On.STOPPED}


@pytest.mark.parametrize(("state", "given"), list(itertools.product(State, Input)))
def test_every_cell(state: State, given: Input) -> None:
    after, actions = step(state, given)
    if state is S.TERMINATED:
        assert (after, actions) == (state, ())
    elif given in ENDS:
        assert (after, actions) == (S.TERMINATED, TELL)
    elif given is On.NOTIFY_FAILED:
        assert (after, actions) == (S.TERMINATED, ())
    elif (state, given) in CHANGES:
        assert (after, actions) == (CHANGES[state, given], TELL)
    elif given is On.REFRESHED or (state, given) == (S.ACTIVE, On.CHANGED):
        assert (after, actions) == (state, TELL)
    else:
        assert (after, actions) == (state, ())


def test_one_who_may_not_see_it_is_not_told_of_changes() -> None:
    assert step(S.PENDING, On.CHANGED) == (S.PENDING, ())
