"""How a back-to-back user agent joins the legs of a call (RFC 7092): the decisions, as one table.

The *A leg* is the caller's dialog (a phone, another node, or a service of this node), the *B legs* are those
towards the callee: one to another node, or one for each of the callee's devices. This module knows neither
SDP nor transactions: it says what follows from what, in which order.
"""

from enum import Enum, auto


class State(Enum):
    """Where a call stands."""

    RESOLVING = auto()  # the caller's INVITE is in; we look for the callee
    CALLING = auto()  # B legs are invited, none has said more than 100
    RINGING = auto()  # a B leg rings
    CONNECTING = auto()  # a B leg has answered; sound has not been seen to go both ways yet
    ANSWERED = auto()  # 2xx passed to the A leg, its ACK is not in yet
    ESTABLISHED = auto()  # both legs confirmed
    OVER = auto()  # refused, cancelled or ended; late answers are still turned away


class Input(Enum):
    """What can happen to a call."""

    FOUND = auto()  # callee known, media open: B legs can be invited
    REFUSED = auto()  # not found, not allowed, or every B leg has said no
    FORWARDED = auto()  # the callee's node says whom to call instead, and that can be done
    PROVISIONAL = auto()  # 18x on a B leg
    ANSWER = auto()  # 2xx on a B leg, and its SDP can be served
    UNUSABLE_ANSWER = auto()  # 2xx on a B leg, but its SDP cannot be served
    PROVEN = auto()  # sound has a way, in both directions
    CANCEL = auto()  # the caller gave up
    TIMEOUT = auto()  # it rang too long
    ACK = auto()  # the caller confirmed
    NO_ACK = auto()  # the caller never confirmed
    BYE_A = auto()  # the caller hung up, or its dialog is gone
    BYE_B = auto()  # the callee hung up, or its dialog is gone
    MEDIA_FAILED = auto()
    HANG_UP = auto()  # this node ends the call


class Action(Enum):
    """What to do about it."""

    INVITE_B = auto()
    FIND_AGAIN = auto()  # look for whom the call is forwarded to, with media of its own
    RING_A = auto()  # pass the 18x on
    CANCEL_OTHERS = auto()  # "Call completed elsewhere"
    CONFIRM_B = auto()  # ACK, and let the media connect
    ANSWER_A = auto()
    REFUSE_A = auto()
    CANCEL_B = auto()  # every B leg that has not answered
    BYE_A = auto()
    BYE_B = auto()  # the B leg that was joined
    BYE_STRAY = auto()  # a B leg that answered too late or unusably: ACK, then BYE


S, G, A = State, Input, Action

_GIVE_UP = (S.OVER, (A.CANCEL_B, A.REFUSE_A))
_HANG_UP_BOTH = (S.OVER, (A.BYE_A, A.BYE_B))

TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (S.RESOLVING, G.FOUND): (S.CALLING, (A.INVITE_B,)),
    (S.RESOLVING, G.REFUSED): (S.OVER, (A.REFUSE_A,)),
    (S.RESOLVING, G.CANCEL): (S.OVER, (A.REFUSE_A,)),
    (S.RESOLVING, G.TIMEOUT): (S.OVER, (A.REFUSE_A,)),
    (S.RESOLVING, G.HANG_UP): (S.OVER, (A.REFUSE_A,)),
    **{
        (state, given): then
        for state in (S.CALLING, S.RINGING)
        for given, then in {
            G.PROVISIONAL: (S.RINGING, (A.RING_A,)),
            G.ANSWER: (S.CONNECTING, (A.CANCEL_OTHERS, A.CONFIRM_B)),
            G.UNUSABLE_ANSWER: (S.OVER, (A.BYE_STRAY, A.CANCEL_B, A.REFUSE_A)),
            G.REFUSED: _GIVE_UP,
            G.FORWARDED: (S.RESOLVING, (A.FIND_AGAIN,)),
            G.CANCEL: _GIVE_UP,
            G.TIMEOUT: _GIVE_UP,
            G.MEDIA_FAILED: _GIVE_UP,
            G.HANG_UP: _GIVE_UP,
        }.items()
    },
    (S.CONNECTING, G.PROVEN): (S.ANSWERED, (A.ANSWER_A,)),
    (S.CONNECTING, G.BYE_B): (S.OVER, (A.REFUSE_A,)),
    **{
        (S.CONNECTING, given): (S.OVER, (A.BYE_B, A.REFUSE_A))
        for given in (G.CANCEL, G.TIMEOUT, G.MEDIA_FAILED, G.HANG_UP)
    },
    **{(S.CONNECTING, given): (S.CONNECTING, (A.BYE_STRAY,)) for given in (G.ANSWER, G.UNUSABLE_ANSWER)},
    (S.ANSWERED, G.ACK): (S.ESTABLISHED, ()),
    (S.ANSWERED, G.NO_ACK): _HANG_UP_BOTH,
    **{
        (state, given): then
        for state in (S.ANSWERED, S.ESTABLISHED)
        for given, then in {
            G.ANSWER: (state, (A.BYE_STRAY,)),
            G.UNUSABLE_ANSWER: (state, (A.BYE_STRAY,)),
            G.BYE_A: (S.OVER, (A.BYE_B,)),
            G.BYE_B: (S.OVER, (A.BYE_A,)),
            G.MEDIA_FAILED: _HANG_UP_BOTH,
            G.HANG_UP: _HANG_UP_BOTH,
        }.items()
    },
    (S.OVER, G.ANSWER): (S.OVER, (A.BYE_STRAY,)),
    (S.OVER, G.UNUSABLE_ANSWER): (S.OVER, (A.BYE_STRAY,)),
}


def step(state: State, given: Input) -> tuple[State, tuple[Action, ...]]:
    """Return the next state and what to do, in order. What the table does not name changes nothing.

    That is meant: an 18x after the answer, a CANCEL that crossed it, a BYE that crossed ours.
    """
    return TABLE.get((state, given), (state, ()))
