"""Non-INVITE client transaction: RFC 3261 17.1.2 (figure 6)."""

from enum import Enum, auto

from .timers import Timer


class State(Enum):
    """States in the order of the RFC."""

    TRYING = auto()
    PROCEEDING = auto()
    COMPLETED = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen."""

    PROVISIONAL = auto()  # 1xx
    FINAL = auto()  # 200-699
    TIMER_E = auto()
    TIMER_F = auto()
    TIMER_K = auto()
    TRANSPORT_ERROR = auto()


class Action(Enum):
    """What to do about it, in order."""

    SEND_REQUEST = auto()
    PASS_RESPONSE = auto()
    TELL_TIMEOUT = auto()
    TELL_TRANSPORT_FAILURE = auto()


S, On, Do = State, Input, Action

START = (S.TRYING, (Do.SEND_REQUEST,))
END = S.TERMINATED

TIMERS: dict[State, tuple[Timer, ...]] = {
    S.TRYING: (Timer.TIMER_E, Timer.TIMER_F),
    S.PROCEEDING: (Timer.TIMER_E, Timer.TIMER_F),
    S.COMPLETED: (Timer.TIMER_K,),
}

TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (S.TRYING, On.TIMER_E): (S.TRYING, (Do.SEND_REQUEST,)),
    (S.TRYING, On.TIMER_F): (S.TERMINATED, (Do.TELL_TIMEOUT,)),
    (S.TRYING, On.TRANSPORT_ERROR): (S.TERMINATED, (Do.TELL_TRANSPORT_FAILURE,)),
    (S.TRYING, On.PROVISIONAL): (S.PROCEEDING, (Do.PASS_RESPONSE,)),
    (S.TRYING, On.FINAL): (S.COMPLETED, (Do.PASS_RESPONSE,)),
    (S.PROCEEDING, On.TIMER_E): (S.PROCEEDING, (Do.SEND_REQUEST,)),
    (S.PROCEEDING, On.TIMER_F): (S.TERMINATED, (Do.TELL_TIMEOUT,)),
    (S.PROCEEDING, On.TRANSPORT_ERROR): (S.TERMINATED, (Do.TELL_TRANSPORT_FAILURE,)),
    (S.PROCEEDING, On.PROVISIONAL): (S.PROCEEDING, (Do.PASS_RESPONSE,)),
    (S.PROCEEDING, On.FINAL): (S.COMPLETED, (Do.PASS_RESPONSE,)),
    (S.COMPLETED, On.TIMER_K): (S.TERMINATED, ()),
}


def step(state: State, given: Input) -> tuple[State, tuple[Action, ...]]:
    """Return the next state and what to do, in order. What the table does not name is absorbed."""
    return TABLE.get((state, given), (state, ()))
