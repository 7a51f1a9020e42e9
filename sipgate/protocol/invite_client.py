"""INVITE client transaction: RFC 3261 17.1.1 (figure 5), with the Accepted state of RFC 6026 7.2.

Two cells are ours. The connection that the response must come on may break in Proceeding (TRANSPORT_ERROR),
and RFC 3261 9.1 lets go of a transaction that a CANCEL did not end (TIMER_CANCEL).
"""

from enum import Enum, auto

from .timers import Timer


class State(Enum):
    """States in the order of the RFC."""

    CALLING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen."""

    PROVISIONAL = auto()  # 1xx
    SUCCESS = auto()  # 2xx
    FAILURE = auto()  # 300-699
    TIMER_A = auto()
    TIMER_B = auto()
    TIMER_D = auto()
    TIMER_M = auto()
    TIMER_CANCEL = auto()  # 64*T1 after our CANCEL
    TRANSPORT_ERROR = auto()


class Action(Enum):
    """What to do about it, in order."""

    SEND_REQUEST = auto()
    SEND_ACK = auto()
    PASS_RESPONSE = auto()
    TELL_TIMEOUT = auto()
    TELL_CANCELLED = auto()
    TELL_TRANSPORT_FAILURE = auto()


S, On, Do = State, Input, Action

START = (S.CALLING, (Do.SEND_REQUEST,))
END = S.TERMINATED

TIMERS: dict[State, tuple[Timer, ...]] = {
    S.CALLING: (Timer.TIMER_A, Timer.TIMER_B),
    S.COMPLETED: (Timer.TIMER_D,),
    S.ACCEPTED: (Timer.TIMER_M,),
}

TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (S.CALLING, On.TIMER_A): (S.CALLING, (Do.SEND_REQUEST,)),
    (S.CALLING, On.TIMER_B): (S.TERMINATED, (Do.TELL_TIMEOUT,)),
    (S.CALLING, On.TRANSPORT_ERROR): (S.TERMINATED, (Do.TELL_TRANSPORT_FAILURE,)),
    (S.CALLING, On.PROVISIONAL): (S.PROCEEDING, (Do.PASS_RESPONSE,)),
    (S.CALLING, On.SUCCESS): (S.ACCEPTED, (Do.PASS_RESPONSE,)),
    (S.CALLING, On.FAILURE): (S.COMPLETED, (Do.SEND_ACK, Do.PASS_RESPONSE)),
    (S.PROCEEDING, On.PROVISIONAL): (S.PROCEEDING, (Do.PASS_RESPONSE,)),
    (S.PROCEEDING, On.SUCCESS): (S.ACCEPTED, (Do.PASS_RESPONSE,)),
    (S.PROCEEDING, On.FAILURE): (S.COMPLETED, (Do.SEND_ACK, Do.PASS_RESPONSE)),
    (S.PROCEEDING, On.TIMER_CANCEL): (S.TERMINATED, (Do.TELL_CANCELLED,)),
    (S.PROCEEDING, On.TRANSPORT_ERROR): (S.TERMINATED, (Do.TELL_TRANSPORT_FAILURE,)),
    (S.COMPLETED, On.FAILURE): (S.COMPLETED, (Do.SEND_ACK,)),
    (S.COMPLETED, On.TRANSPORT_ERROR): (S.TERMINATED, ()),
    (S.COMPLETED, On.TIMER_D): (S.TERMINATED, ()),
    (S.ACCEPTED, On.SUCCESS): (S.ACCEPTED, (Do.PASS_RESPONSE,)),
    (S.ACCEPTED, On.TIMER_M): (S.TERMINATED, ()),
}


def step(state: State, given: Input) -> tuple[State, tuple[Action, ...]]:
    """Return the next state and what to do, in order. What the table does not name is absorbed."""
    return TABLE.get((state, given), (state, ()))
