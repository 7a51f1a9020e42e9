from sipgate.protocol.non_invite_server import Action, Input, State, step


def test_a_retransmission_before_any_response_is_absorbed() -> None:
    assert step(State.TRYING, Input.REQUEST) == (State.TRYING, ())


def test_a_retransmission_gets_the_latest_response_again() -> None:
    for state in (State.PROCEEDING, State.COMPLETED):
        assert step(state, Input.REQUEST) == (state, (Action.SEND_RESPONSE,))


def test_only_one_final_response_is_sent() -> None:
    state, actions = step(State.PROCEEDING, Input.FINAL)
    assert (state, actions) == (State.COMPLETED, (Action.SEND_RESPONSE,))
    assert step(state, Input.FINAL) == (state, ())
    assert step(state, Input.PROVISIONAL) == (state, ())
