from sipgate.protocol.invite_client import END, TIMERS, Action, Input, State, step
from sipgate.protocol.timers import Timer


def test_a_final_failure_is_acked_each_time_it_is_retransmitted() -> None:
    state, actions = step(State.PROCEEDING, Input.FAILURE)
    assert (state, actions) == (State.COMPLETED, (Action.SEND_ACK, Action.PASS_RESPONSE))
    assert step(state, Input.FAILURE) == (state, (Action.SEND_ACK,))


def test_every_2xx_reaches_the_user_so_that_it_can_ack_again() -> None:
    state, actions = step(State.CALLING, Input.SUCCESS)
    assert (state, actions) == (State.ACCEPTED, (Action.PASS_RESPONSE,))
    assert step(state, Input.SUCCESS) == (state, (Action.PASS_RESPONSE,))


def test_a_call_may_ring_for_ever() -> None:
    assert State.PROCEEDING not in TIMERS
    assert step(State.PROCEEDING, Input.TIMER_B) == (State.PROCEEDING, ())
    assert Timer.TIMER_B in TIMERS[State.CALLING]


def test_a_cancel_that_nobody_answers_ends_the_transaction() -> None:
    assert step(State.PROCEEDING, Input.TIMER_CANCEL) == (END, (Action.TELL_CANCELLED,))
    assert step(State.ACCEPTED, Input.TIMER_CANCEL) == (State.ACCEPTED, ())
