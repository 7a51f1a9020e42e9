"""Notifier: one subscription as the side sees it that has what is subscribed to (RFC 6665 4.2)."""

from enum import Enum, auto

from .timers import Timer


class State(Enum):
    """The subscription's states, as they stand in Subscription-State."""

    PENDING = auto()
    ACTIVE = auto()
    TERMINATED = auto()


class Input(Enum):
    """What can happen."""

    REFRESHED = auto()  # SUBSCRIBE inside the dialog
    UNSUBSCRIBED = auto()  # the same with Expires 0
    GRANTED = auto()  # the subscriber may see it from now on
    WITHDRAWN = auto()  # and from now on not any more
    CHANGED = auto()  # what is subscribed to has another state
    EXPIRED = auto()
    STOPPED = auto()  # this node ends it
    NOTIFY_FAILED = auto()  # 481 or any other refusal, or nobody there


class Action(Enum):
    """What to do about it."""

    NOTIFY = auto()


S, On, Do = State, Input, Action

START = (S.PENDING, ())
END = S.TERMINATED

TIMERS: dict[State, tuple[Timer, ...]] = {}

_TELL = (Do.NOTIFY,)

TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (S.PENDING, On.REFRESHED): (S.PENDING, _TELL),
    (S.PENDING, On.UNSUBSCRIBED): (S.TERMINATED, _TELL),
    (S.PENDING, On.GRANTED): (S.ACTIVE, _TELL),
    (S.PENDING, On.EXPIRED): (S.TERMINATED, _TELL),
    (S.PENDING, On.STOPPED): (S.TERMINATED, _TELL),
    (S.PENDING, On.NOTIFY_FAILED): (S.TERMINATED, ()),
    (S.ACTIVE, On.REFRESHED): (S.ACTIVE, _TELL),
    (S.ACTIVE, On.UNSUBSCRIBED): (S.TERMINATED, _TELL),
    (S.ACTIVE, On.WITHDRAWN): (S.PENDING, _TELL),
    (S.ACTIVE, On.CHANGED): (S.ACTIVE, _TELL),
    (S.ACTIVE, On.EXPIRED): (S.TERMINATED, _TELL),
    (S.ACTIVE, On.STOPPED): (S.TERMINATED, _TELL),
    (S.ACTIVE, On.NOTIFY_FAILED): (S.TERMINATED, ()),
}


def step(state: State, given: Input) -> tuple[State, tuple[Action, ...]]:
    """Return the next state and what to do. What the table does not name is absorbed."""
    return TABLE.get((state, given), (state, ()))
