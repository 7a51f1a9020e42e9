from sipgate.protocol.non_invite_client import Action, Input, State, step


def test_the_request_is_repeated_even_after_a_provisional_response() -> None:
    for state in (State.TRYING, State.PROCEEDING):
        assert step(state, Input.TIMER_E) == (state, (Action.SEND_REQUEST,))
        assert step(state, Input.TIMER_F) == (State.TERMINATED, (Action.TELL_TIMEOUT,))


def test_a_final_response_reaches_the_user_once() -> None:
    state, actions = step(State.TRYING, Input.FINAL)
    assert (state, actions) == (State.COMPLETED, (Action.PASS_RESPONSE,))
    assert step(state, Input.FINAL) == (state, ())
    assert step(state, Input.TRANSPORT_ERROR) == (state, ())
