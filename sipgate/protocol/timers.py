"""The timers of SIP transactions (RFC 3261 17 and table 4, RFC 6026): names, first values and growth.

A machine says in its `TIMERS` which of these run in which state; how long each takes depends only on what is
here and on whether the transport is reliable. Zero means that the timer fires at once; None that it never
runs.
"""

from dataclasses import dataclass
from enum import Enum


class Timer(Enum):
    """Each timer by its name in the RFCs; the last three have a paragraph there but no letter."""

    TIMER_A = "A"  # INVITE request retransmission
    TIMER_B = "B"  # INVITE transaction time-out, in Calling only: a call may ring for minutes
    TIMER_D = "D"  # wait for retransmissions of a final failure
    TIMER_E = "E"  # non-INVITE request retransmission
    TIMER_F = "F"  # non-INVITE transaction time-out
    TIMER_G = "G"  # final failure retransmission
    TIMER_H = "H"  # wait for the ACK of a final failure
    TIMER_I = "I"  # wait for retransmissions of that ACK
    TIMER_J = "J"  # wait for retransmissions of a non-INVITE request
    TIMER_K = "K"  # wait for retransmissions of a final response
    TIMER_L = "L"  # wait for retransmissions of an INVITE that was accepted (RFC 6026)
    TIMER_M = "M"  # wait for retransmissions of a 2xx, and for those of other branches (RFC 6026)
    TIMER_TRYING = "100"  # send 100 when the user has said nothing for 200 ms (17.2.1)
    TIMER_SUCCESS = "2xx"  # 2xx retransmission until its ACK (13.3.1.4)
    TIMER_CANCEL = "CANCEL"  # wait for the final response after a CANCEL (9.1)


_UNRELIABLE_ONLY = frozenset({Timer.TIMER_A, Timer.TIMER_E, Timer.TIMER_G})
_ZERO_WHEN_RELIABLE = frozenset({Timer.TIMER_D, Timer.TIMER_I, Timer.TIMER_J, Timer.TIMER_K})
_CAPPED_AT_T2 = frozenset({Timer.TIMER_E, Timer.TIMER_G, Timer.TIMER_SUCCESS})
REPEATING = frozenset({Timer.TIMER_A, Timer.TIMER_E, Timer.TIMER_G, Timer.TIMER_SUCCESS})


@dataclass(frozen=True)
class TimerValues:
    """The base values in seconds; all others follow from them (RFC 3261 table 4)."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    trying: float = 0.2

    def first(self, timer: Timer, *, reliable: bool) -> float | None:
        """Return how long the timer runs when its state is entered, or None when it never does."""
        if reliable and timer in _UNRELIABLE_ONLY:
            return None
        if reliable and timer in _ZERO_WHEN_RELIABLE:
            return 0.0
        if timer in REPEATING:
            return self.t1
        if timer in (Timer.TIMER_I, Timer.TIMER_K):
            return self.t4
        if timer is Timer.TIMER_TRYING:
            return self.trying
        return 64 * self.t1

    def again(self, timer: Timer, last: float, *, proceeding: bool) -> float:
        """Return how long a repeating timer runs the next time.

        It doubles, up to T2 except for timer A; timer E runs T2 once a provisional response is in
        (17.1.2.2).
        """
        if timer is Timer.TIMER_E and proceeding:
            return self.t2
        return min(2 * last, self.t2) if timer in _CAPPED_AT_T2 else 2 * last
