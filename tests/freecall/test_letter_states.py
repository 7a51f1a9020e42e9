"""What becomes of a letter that waits: every cell of the table."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.letter_states import TABLE, TO_TELL, Input, State, step


@pytest.mark.parametrize(("state", "happened"), list(product(State, Input)))
def test_every_cell(state: State, happened: Input) -> None:
    after = step(state, happened)
    assert after is TABLE.get((state, happened), state)
    if happened is Input.RAN_OUT:
        assert after in (State.EXPIRED, State.GONE), "nothing waits for ever"
    if state in TO_TELL:
        assert after in (state, State.GONE), "what became of it does not change any more"
    if state is State.GONE:
        assert after is State.GONE


@given(st.lists(st.sampled_from(Input), max_size=30))
def test_a_letter_is_told_as_one_thing_only_and_ends(happenings: list[Input]) -> None:
    state, told = State.WAITING, set()
    for happened in [*happenings, Input.RAN_OUT, Input.RAN_OUT]:
        state = step(state, happened)
        told |= {state} & TO_TELL
    assert state is State.GONE
    assert len(told) == 1
