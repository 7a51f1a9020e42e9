"""A transfer at the node of the one who is sent on: two calls and one phone between them, as one table.

The *old call* is with who sends (the transferor), the *new call* with the target. The phone's leg is in one of
them at each moment: lent to the new one while the phone is offered the new session, and given back when it
does not take it.
"""

from enum import Enum, auto

from .timers import Timer


class State(Enum):
    """Where a transfer stands."""

    CALLING = auto()  # the target is called; the old call stands
    CALLING_ALONE = auto()  # the same, but the transferor has hung up
    JOINING = auto()  # the target has picked up; the phone is offered the new session
    JOINING_ALONE = auto()
    JOINED = auto()  # the phone is in the new call
    FAILED = auto()


class Input(Enum):
    """What can happen."""

    ANSWER = auto()  # the target has picked up
    REFUSED = auto()  # the target cannot be had
    TAKEN = auto()  # the phone has taken the new session
    NOT_TAKEN = auto()
    TRANSFEROR_LEFT = auto()
    PHONE_LEFT = auto()  # the phone hung up, or the old call has ended for another reason


class Action(Enum):
    """What to do about it."""

    LEND = auto()  # the leg belongs to the new call
    GIVE_BACK = auto()  # the leg belongs to the old call again
    HANG_UP = auto()  # the phone has nobody left to talk with
    REPORT_SUCCESS = auto()
    REPORT_FAILURE = auto()
    END_OLD_CALL = auto()
    CANCEL = auto()  # take the new call back


S, G, A = State, Input, Action

START = (S.CALLING, ())
END = S.FAILED

TIMERS: dict[State, tuple[Timer, ...]] = {}

TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (S.CALLING, G.ANSWER): (S.JOINING, (A.LEND,)),
    (S.CALLING, G.REFUSED): (S.FAILED, (A.REPORT_FAILURE,)),
    (S.CALLING, G.TRANSFEROR_LEFT): (S.CALLING_ALONE, (A.LEND,)),
    (S.CALLING, G.PHONE_LEFT): (S.FAILED, (A.CANCEL,)),
    (S.CALLING_ALONE, G.ANSWER): (S.JOINING_ALONE, ()),
    (S.CALLING_ALONE, G.REFUSED): (S.FAILED, (A.HANG_UP,)),
    (S.CALLING_ALONE, G.PHONE_LEFT): (S.FAILED, (A.CANCEL,)),
    (S.JOINING, G.TAKEN): (S.JOINED, (A.REPORT_SUCCESS, A.END_OLD_CALL)),
    (S.JOINING, G.NOT_TAKEN): (S.FAILED, (A.GIVE_BACK, A.REPORT_FAILURE)),
    (S.JOINING, G.TRANSFEROR_LEFT): (S.JOINING_ALONE, ()),
    (S.JOINING_ALONE, G.TAKEN): (S.JOINED, ()),
    (S.JOINING_ALONE, G.NOT_TAKEN): (S.FAILED, (A.HANG_UP,)),
}


def step(state: State, given: Input) -> tuple[State, tuple[Action, ...]]:
    """Return the next state and what to do, in order. What the table does not name changes nothing."""
    return TABLE.get((state, given), (state, ()))
