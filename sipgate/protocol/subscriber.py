"""Subscriber: one subscription as the side sees it that wants to know (RFC 6665 4.1, figure 1).

A refused refresh ends it, whatever the status: between nodes there is nothing to mend but to subscribe anew.
"""

from enum import Enum, auto

from .timers import Timer


class State(Enum):
    """States in the order of the RFC."""

    SUBSCRIBING = auto()
    NOTIFY_WAIT = auto()
    PENDING = auto()
    ACTIVE = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen."""

    ACCEPTED = auto()  # 2xx to SUBSCRIBE, the first or a refresh
    REFUSED = auto()  # anything else, silence included
    NOTIFY_PENDING = auto()
    NOTIFY_ACTIVE = auto()
    NOTIFY_TERMINATED = auto()
    TIMER_N = auto()  # 64*T1 and no NOTIFY
    EXPIRED = auto()
    LEFT = auto()  # nobody here wants to know any more


class Action(Enum):
    """What to do about it."""

    TELL_PENDING = auto()
    TELL_STATE = auto()
    TELL_GONE = auto()
    UNSUBSCRIBE = auto()


S, On, Do = State, Input, Action

START = (S.SUBSCRIBING, ())
END = S.TERMINATED

TIMERS: dict[State, tuple[Timer, ...]] = {}

_GONE = (S.TERMINATED, (Do.TELL_GONE,))
_PENDING = (S.PENDING, (Do.TELL_PENDING,))
_ACTIVE = (S.ACTIVE, (Do.TELL_STATE,))
_LEFT = (S.TERMINATED, (Do.UNSUBSCRIBE,))

TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (S.SUBSCRIBING, On.ACCEPTED): (S.NOTIFY_WAIT, ()),
    (S.SUBSCRIBING, On.REFUSED): _GONE,
    (S.SUBSCRIBING, On.NOTIFY_PENDING): _PENDING,
    (S.SUBSCRIBING, On.NOTIFY_ACTIVE): _ACTIVE,
    (S.SUBSCRIBING, On.NOTIFY_TERMINATED): _GONE,
    (S.SUBSCRIBING, On.LEFT): (S.TERMINATED, ()),
    (S.NOTIFY_WAIT, On.REFUSED): _GONE,
    (S.NOTIFY_WAIT, On.NOTIFY_PENDING): _PENDING,
    (S.NOTIFY_WAIT, On.NOTIFY_ACTIVE): _ACTIVE,
    (S.NOTIFY_WAIT, On.NOTIFY_TERMINATED): _GONE,
    (S.NOTIFY_WAIT, On.TIMER_N): _GONE,
    (S.NOTIFY_WAIT, On.EXPIRED): _GONE,
    (S.NOTIFY_WAIT, On.LEFT): _LEFT,
    (S.PENDING, On.REFUSED): _GONE,
    (S.PENDING, On.NOTIFY_PENDING): _PENDING,
    (S.PENDING, On.NOTIFY_ACTIVE): _ACTIVE,
    (S.PENDING, On.NOTIFY_TERMINATED): _GONE,
    (S.PENDING, On.EXPIRED): _GONE,
    (S.PENDING, On.LEFT): _LEFT,
    (S.ACTIVE, On.REFUSED): _GONE,
    (S.ACTIVE, On.NOTIFY_PENDING): _PENDING,
    (S.ACTIVE, On.NOTIFY_ACTIVE): _ACTIVE,
    (S.ACTIVE, On.NOTIFY_TERMINATED): _GONE,
    (S.ACTIVE, On.EXPIRED): _GONE,
    (S.ACTIVE, On.LEFT): _LEFT,
}


def step(state: State, given: Input) -> tuple[State, tuple[Action, ...]]:
    """Return the next state and what to do. What the table does not name is absorbed."""
    return TABLE.get((state, given), (state, ()))
