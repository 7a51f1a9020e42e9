"""Non-INVITE server transaction: RFC 3261 17.2.2 (figure 8).

As RFC 6026 8.6 wants it, a transport error never ends a server transaction.
"""

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

    REQUEST = auto()  # a retransmission; the first one starts the machine
    PROVISIONAL = auto()  # 1xx from the user
    FINAL = auto()  # 200-699 from the user
    TIMER_J = auto()
    TRANSPORT_ERROR = auto()


class Action(Enum):
    """What to do about it, in order."""

    PASS_REQUEST = auto()
    SEND_RESPONSE = auto()
    TELL_TRANSPORT_FAILURE = auto()


S, On, Do = State, Input, Action

START = (S.TRYING, (Do.PASS_REQUEST,))
END = S.TERMINATED

TIMERS: dict[State, tuple[Timer, ...]] = {
    S.COMPLETED: (Timer.TIMER_J,),
}

TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (S.TRYING, On.PROVISIONAL): (S.PROCEEDING, (Do.SEND_RESPONSE,)),
    (S.TRYING, On.FINAL): (S.COMPLETED, (Do.SEND_RESPONSE,)),
    (S.PROCEEDING, On.REQUEST): (S.PROCEEDING, (Do.SEND_RESPONSE,)),
    (S.PROCEEDING, On.PROVISIONAL): (S.PROCEEDING, (Do.SEND_RESPONSE,)),
    (S.PROCEEDING, On.FINAL): (S.COMPLETED, (Do.SEND_RESPONSE,)),
    (S.PROCEEDING, On.TRANSPORT_ERROR): (S.PROCEEDING, (Do.TELL_TRANSPORT_FAILURE,)),
    (S.COMPLETED, On.REQUEST): (S.COMPLETED, (Do.SEND_RESPONSE,)),
    (S.COMPLETED, On.TRANSPORT_ERROR): (S.COMPLETED, (Do.TELL_TRANSPORT_FAILURE,)),
    (S.COMPLETED, On.TIMER_J): (S.TERMINATED, ()),
}


def step(state: State, given: Input) -> tuple[State, tuple[Action, ...]]:
    """Return the next state and what to do, in order. What the table does not name is absorbed."""
    return TABLE.get((state, given), (state, ()))
