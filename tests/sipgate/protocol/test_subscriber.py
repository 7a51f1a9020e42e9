"""The subscriber's table, cell by cell."""

import itertools

import pytest

from sipgate.protocol.subscriber import Action, Input, State, step

S, On, Do = State, Input, Action
NOTIFIES = {
    On.NOTIFY_PENDING: (S.PENDING, (Do.TELL_PENDING,)),
    On.NOTIFY_ACTIVE: (S.ACTIVE, (Do.TELL_STATE,)),
    On.NOTIFY_TERMINATED: (S.TERMINATED, (Do.TELL_GONE,)),
}

ENDS = {(S.NOTIFY_WAIT, On.TIMER_N), *((state, On.EXPIRED) for state in State if state is not S.SUBSCRIBING)}


@pytest.mark.parametrize(("state", "given"), list(itertools.product(State, Input)))
def test_every_cell(state: State, given: Input) -> None:
    after = step(state, given)
    if state is S.TERMINATED:
        assert after == (state, ())
    elif given in NOTIFIES:
        assert after == NOTIFIES[given]
    elif given is On.ACCEPTED:
        assert after == (S.NOTIFY_WAIT if state is S.SUBSCRIBING else state, ())
    elif given is On.LEFT:
        assert after == (S.TERMINATED, () if state is S.SUBSCRIBING else (Do.UNSUBSCRIBE,))
    elif (state, given) in ENDS or given is On.REFUSED:
        assert after == (S.TERMINATED, (Do.TELL_GONE,))
    else:
        assert after == (state, ())


def test_a_notify_may_overtake_the_answer_to_the_subscribe() -> None:
    state, _ = step(S.SUBSCRIBING, On.NOTIFY_ACTIVE)
    assert step(state, On.ACCEPTED) == (S.ACTIVE, ())
