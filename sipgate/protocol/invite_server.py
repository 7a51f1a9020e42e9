"""INVITE server transaction: RFC 3261 17.2.1 (figure 7), with the Accepted state of RFC 6026 7.1.

The transaction user's duty to repeat a 2xx until its ACK (RFC 3261 13.3.1.4) is here too, as TIMER_SUCCESS in
Accepted. As RFC 6026 8.6 wants it, a transport error never ends a server transaction: the retransmission of
the request may come another way.
"""

from enum import Enum, auto

from .timers import Timer


class State(Enum):
    """States in the order of the RFC."""

    PROCEEDING = auto()
    COMPLETED = auto()
    CONFIRMED = auto()
    ACCEPTED = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen."""

    INVITE = auto()  # a retransmission; the first one starts the machine
    ACK = auto()
    PROVISIONAL = auto()  # 1xx from the user
    SUCCESS = auto()  # 2xx from the user
    FAILURE = auto()  # 300-699 from the user
    TIMER_TRYING = auto()  # 200 ms have passed
    TIMER_G = auto()
    TIMER_H = auto()
    TIMER_I = auto()
    TIMER_L = auto()
    TIMER_SUCCESS = auto()  # time to repeat the 2xx
    TRANSPORT_ERROR = auto()


class Action(Enum):
    """What to do about it, in order."""

    PASS_REQUEST = auto()
    SEND_TRYING = auto()  # 100, unless the user has said something already
    SEND_RESPONSE = auto()  # the latest one, if there is one
    PASS_ACK = auto()  # and stop repeating the 2xx
    TELL_UNACKED = auto()  # unless the 2xx was acknowledged
    TELL_TRANSPORT_FAILURE = auto()


S, On, Do = State, Input, Action

START = (S.PROCEEDING, (Do.PASS_REQUEST,))
END = S.TERMINATED

TIMERS: dict[State, tuple[Timer, ...]] = {
    S.PROCEEDING: (Timer.TIMER_TRYING,),
    S.COMPLETED: (Timer.TIMER_G, Timer.TIMER_H),
    S.CONFIRMED: (Timer.TIMER_I,),
    S.ACCEPTED: (Timer.TIMER_SUCCESS, Timer.TIMER_L),
}

TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (S.PROCEEDING, On.INVITE): (S.PROCEEDING, (Do.SEND_RESPONSE,)),
    (S.PROCEEDING, On.TIMER_TRYING): (S.PROCEEDING, (Do.SEND_TRYING,)),
    (S.PROCEEDING, On.PROVISIONAL): (S.PROCEEDING, (Do.SEND_RESPONSE,)),
    (S.PROCEEDING, On.SUCCESS): (S.ACCEPTED, (Do.SEND_RESPONSE,)),
    (S.PROCEEDING, On.FAILURE): (S.COMPLETED, (Do.SEND_RESPONSE,)),
    (S.PROCEEDING, On.TRANSPORT_ERROR): (S.PROCEEDING, (Do.TELL_TRANSPORT_FAILURE,)),
    (S.COMPLETED, On.INVITE): (S.COMPLETED, (Do.SEND_RESPONSE,)),
    (S.COMPLETED, On.TIMER_G): (S.COMPLETED, (Do.SEND_RESPONSE,)),
    (S.COMPLETED, On.ACK): (S.CONFIRMED, ()),
    (S.COMPLETED, On.TIMER_H): (S.TERMINATED, (Do.TELL_UNACKED,)),
    (S.COMPLETED, On.TRANSPORT_ERROR): (S.COMPLETED, (Do.TELL_TRANSPORT_FAILURE,)),
    (S.CONFIRMED, On.TIMER_I): (S.TERMINATED, ()),
    (S.ACCEPTED, On.SUCCESS): (S.ACCEPTED, (Do.SEND_RESPONSE,)),
    (S.ACCEPTED, On.TIMER_SUCCESS): (S.ACCEPTED, (Do.SEND_RESPONSE,)),
    (S.ACCEPTED, On.ACK): (S.ACCEPTED, (Do.PASS_ACK,)),
    (S.ACCEPTED, On.TIMER_L): (S.TERMINATED, (Do.TELL_UNACKED,)),
    (S.ACCEPTED, On.TRANSPORT_ERROR): (S.ACCEPTED, (Do.TELL_TRANSPORT_FAILURE,)),
}


def step(state: State, given: Input) -> tuple[State, tuple[Action, ...]]:
    """Return the next state and what to do, in order. What the table does not name is absorbed."""
    return TABLE.get((state, given), (state, ()))
