"""The table that joins the legs: every state meets every input, and no one is left with a ringing phone."""

import pytest
from hypothesis import given, strategies

from sipgate.protocol.b2bua import TABLE, Action, Input, State, step

EVERY_CELL = [(state, each) for state in State for each in Input]
LETS_THE_CALLER_GO = {Action.REFUSE_A, Action.BYE_A}
LETS_THE_CALLEE_GO = {Action.CANCEL_B, Action.BYE_B}


@pytest.mark.parametrize(("state", "happened"), EVERY_CELL)
def test_each_cell_is_either_in_the_table_or_changes_nothing(state: State, happened: Input) -> None:
    then = step(state, happened)
    assert then == TABLE.get((state, happened), (state, ()))


@pytest.mark.parametrize(("state", "happened"), EVERY_CELL)
def test_a_call_that_is_over_stays_over(state: State, happened: Input) -> None:
    assert step(State.OVER, happened)[0] is State.OVER
    if state is State.OVER:
        assert step(state, happened)[1] in ((), (Action.BYE_STRAY,))


@pytest.mark.parametrize(("state", "happened"), EVERY_CELL)
def test_whoever_did_not_end_the_call_is_told(state: State, happened: Input) -> None:
    after, actions = step(state, happened)
    if state is State.OVER or after is not State.OVER:
        return
    if happened is not Input.BYE_A:
        assert LETS_THE_CALLER_GO & set(actions)
    if happened is not Input.BYE_B and state is not State.RESOLVING:
        assert LETS_THE_CALLEE_GO & set(actions)


@given(strategies.lists(strategies.sampled_from(Input), max_size=30))
def test_the_caller_gets_at_most_one_final_answer_and_one_goodbye(story: list[Input]) -> None:
    state = State.RESOLVING
    done: list[Action] = []
    for happened in story:
        state, actions = step(state, happened)
        done += actions
    assert done.count(Action.ANSWER_A) + done.count(Action.REFUSE_A) <= 1
    assert done.count(Action.BYE_A) + done.count(Action.REFUSE_A) <= 1
    assert done.count(Action.BYE_B) <= 1
    assert done.count(Action.CONFIRM_B) <= 1
    if Action.BYE_A in done:
        assert Action.ANSWER_A in done
    if Action.ANSWER_A in done:
        assert Action.CONFIRM_B in done


@given(strategies.lists(strategies.sampled_from(Input), max_size=30))
def test_each_answer_is_either_used_or_turned_away(story: list[Input]) -> None:
    state, answers = State.RESOLVING, 0
    done: list[Action] = []
    for happened in story:
        if state is State.RESOLVING and happened in (Input.ANSWER, Input.UNUSABLE_ANSWER):
            continue  # nobody is invited yet
        answers += happened in (Input.ANSWER, Input.UNUSABLE_ANSWER)
        state, actions = step(state, happened)
        done += actions
    assert done.count(Action.CONFIRM_B) + done.count(Action.BYE_STRAY) == answers
