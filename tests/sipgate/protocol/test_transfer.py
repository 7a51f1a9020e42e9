"""The transfer's table, cell by cell."""

import itertools

import pytest

from sipgate.protocol.transfer import TABLE, Action, Input, State, step

S, G, A = State, Input, Action
OPEN = (S.CALLING, S.CALLING_ALONE, S.JOINING, S.JOINING_ALONE)


@pytest.mark.parametrize(("state", "given"), list(itertools.product(State, Input)))
def test_every_cell(state: State, given: Input) -> None:
    after, actions = step(state, given)
    assert (after, actions) == TABLE.get((state, given), (state, ()))
    if state not in OPEN:
        assert (after, actions) == (state, ())
    if A.REPORT_SUCCESS in actions:
        assert after is S.JOINED
    if actions == ():
        assert after in {state, S.JOINING_ALONE, S.JOINED}


@pytest.mark.parametrize("given", list(itertools.permutations(Input, 4)))
def test_whatever_happens_the_phone_has_one_call_at_most(given: tuple[Input, ...]) -> None:
    state, lent, hung_up, reports = S.CALLING, False, False, 0
    for each in given:
        state, actions = step(state, each)
        for action in actions:
            if action is A.LEND:
                assert not lent
                lent = True
            elif action is A.GIVE_BACK:
                assert lent
                lent = False
            elif action is A.HANG_UP:
                assert lent
                hung_up = True
            elif action in (A.REPORT_SUCCESS, A.REPORT_FAILURE):
                reports += 1
    assert reports <= 1
    if state is S.JOINED:
        assert lent
        assert not hung_up
    if state is S.FAILED and lent:
        assert hung_up or G.PHONE_LEFT in given


@pytest.mark.parametrize("last", [G.REFUSED, G.NOT_TAKEN, G.TAKEN])
def test_who_has_hung_up_is_told_nothing(last: Input) -> None:
    state = S.CALLING_ALONE if last is G.REFUSED else S.JOINING_ALONE
    assert not {A.REPORT_SUCCESS, A.REPORT_FAILURE} & set(step(state, last)[1])
