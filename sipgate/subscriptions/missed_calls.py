"""Calls that nobody answered: who it was and how well they are known, until somebody has seen it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sipgate.events import CallAnswered, CallEnded, CallMissed, CallRefused, CallStarted, GatewayEvent
from sipgate.ports import LocalUser, Trust

MAX_MISSED = 100
_DECLINED = frozenset({600, 603, 607})


@dataclass(frozen=True)
class MissedCall:
    """One call; `at` is when it ended, in Unix seconds."""

    user: str
    peer: str
    display: str
    trust: Trust
    call_id: str
    at: float


class MissedCalls:
    """The latest hundred, in memory only. `emit` is told of each; `user_of` says whose call an id means."""

    def __init__(
        self,
        emit: Callable[[GatewayEvent], None],
        user_of: Callable[[str], LocalUser | None],
        wall_clock: Callable[[], float],
    ) -> None:
        self._emit = emit
        self._user_of = user_of
        self._wall_clock = wall_clock
        self._missed: deque[MissedCall] = deque(maxlen=MAX_MISSED)
        self._ringing: dict[str, CallStarted] = {}

    def of(self, user: str | None = None) -> tuple[MissedCall, ...]:
        """Return the missed calls of a user, or of all, the oldest first."""
        return tuple(each for each in self._missed if user in (None, each.user))

    def forget(self, peer: str | None = None) -> bool:
        """Take calls as seen: those of a peer, or all; tell whether there were any."""
        left = [each for each in self._missed if peer is not None and each.peer != peer]
        had = len(left) < len(self._missed)
        self._missed = deque(left, MAX_MISSED)
        return had

    def observe(self, event: GatewayEvent) -> bool:
        """Take an event of the gateway; tell whether the list is another one now."""
        match event:
            case CallStarted(
                direction="in", trust="new" | "introduced" | "pinned" | "verified" | "anonymous"
            ):
                self._ringing[event.call] = event
            case CallAnswered():
                answered = self._ringing.pop(event.call, None)
                return answered is not None and self.forget(answered.peer)
            case CallEnded() | CallRefused():
                self._over(event)
            case CallMissed():
                self._missed.append(
                    MissedCall(
                        event.user, event.peer, event.display, event.trust, event.call_id, self._wall_clock()
                    )
                )
                return True
        return False

    def _over(self, event: CallEnded | CallRefused) -> None:
        """A call that was declined, or answered on another node of the user, is not missed."""
        started = self._ringing.pop(event.call, None)
        user = self._user_of(event.call)
        elsewhere = isinstance(event, CallEnded) and event.by == "peer" and event.status == 200
        if started is None or user is None or elsewhere or event.status in _DECLINED:
            return
        self._emit(CallMissed(started.call_id, user.username, started.peer, started.display, started.trust))
