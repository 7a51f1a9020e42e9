import pytest

from sipgate.protocol.invite_server import Action, Input, State, step


def test_a_retransmitted_invite_gets_the_latest_response_again_until_it_is_accepted() -> None:
    for state in (State.PROCEEDING, State.COMPLETED):
        assert step(state, Input.INVITE) == (state, (Action.SEND_RESPONSE,))
    for state in (State.CONFIRMED, State.ACCEPTED):
        assert step(state, Input.INVITE) == (state, ())


def test_the_ack_of_a_failure_is_absorbed_and_that_of_a_success_passed_on() -> None:
    assert step(State.COMPLETED, Input.ACK) == (State.CONFIRMED, ())
    assert step(State.ACCEPTED, Input.ACK) == (State.ACCEPTED, (Action.PASS_ACK,))


def test_the_2xx_is_repeated_until_it_is_given_up() -> None:
    assert step(State.ACCEPTED, Input.TIMER_SUCCESS) == (State.ACCEPTED, (Action.SEND_RESPONSE,))
    assert step(State.ACCEPTED, Input.TIMER_L) == (State.TERMINATED, (Action.TELL_UNACKED,))


@pytest.mark.parametrize("state", [State.PROCEEDING, State.COMPLETED, State.ACCEPTED])
def test_a_transport_error_is_told_and_ends_nothing(state: State) -> None:
    assert step(state, Input.TRANSPORT_ERROR) == (state, (Action.TELL_TRANSPORT_FAILURE,))


def test_a_second_failure_from_the_user_is_not_sent() -> None:
    assert step(State.COMPLETED, Input.FAILURE) == (State.COMPLETED, ())
    assert step(State.ACCEPTED, Input.FAILURE) == (State.ACCEPTED, ())
