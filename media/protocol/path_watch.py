"""Whether the path to the peer lives: what is heard, and when, decides what is done. A table, without a clock.

RFC 7675 lets a peer be silent for 30 s. Here the first half second without anything that only the peer can have sent
is looked into, after one the two nodes exchange new transports, and after two a person is told.
"""

from enum import Enum, auto

TICK_SECONDS = 0.5
"""Between two looks, while the peer is heard."""

QUICK_TICK_SECONDS = 0.1
"""Between two looks, while it is not."""

RENEW_SECONDS = 1.0
"""So long without anything, and new transports are exchanged: that harms nobody, if the path comes back by itself."""

AGAIN_SECONDS = 2.0
"""So long what was exchanged has to serve; then it is tried again."""

PATIENCE_SECONDS = 2.0
"""So long without anything, and the path counts as lost."""

LOST_SECONDS = 12.0
"""So long without anything, and so is the call."""


class State(Enum):
    """How the path stands."""

    HEARD = auto()
    SILENT = auto()
    LOST = auto()
    OVER = auto()


class Input(Enum):
    """What a look has found."""

    SOUND = auto()
    """Something that only the peer can have sent."""
    SILENCE = auto()
    DUE = auto()
    """Silence, and it is time to exchange new transports."""
    LATE = auto()
    """Silence, and the patience is over."""
    TOO_LATE = auto()
    """Silence, and the call is lost."""


class Action(Enum):
    """What is to be done."""

    PROBE = auto()
    """Ask the peer by the path that was used last."""
    TELL_LOST = auto()
    RENEW = auto()
    """Exchange new transports with the peer."""
    TELL_FOUND = auto()
    GIVE_UP = auto()


TABLE: dict[tuple[State, Input], tuple[State, tuple[Action, ...]]] = {
    (State.HEARD, Input.SOUND): (State.HEARD, ()),
    (State.HEARD, Input.SILENCE): (State.SILENT, (Action.PROBE,)),
    (State.HEARD, Input.DUE): (State.SILENT, (Action.PROBE, Action.RENEW)),
    (State.HEARD, Input.LATE): (State.LOST, (Action.PROBE, Action.TELL_LOST, Action.RENEW)),
    (State.HEARD, Input.TOO_LATE): (State.OVER, (Action.GIVE_UP,)),
    (State.SILENT, Input.SOUND): (State.HEARD, ()),
    (State.SILENT, Input.SILENCE): (State.SILENT, (Action.PROBE,)),
    (State.SILENT, Input.DUE): (State.SILENT, (Action.PROBE, Action.RENEW)),
    (State.SILENT, Input.LATE): (State.LOST, (Action.PROBE, Action.TELL_LOST, Action.RENEW)),
    (State.SILENT, Input.TOO_LATE): (State.OVER, (Action.GIVE_UP,)),
    (State.LOST, Input.SOUND): (State.HEARD, (Action.TELL_FOUND,)),
    (State.LOST, Input.SILENCE): (State.LOST, (Action.PROBE,)),
    (State.LOST, Input.DUE): (State.LOST, (Action.PROBE, Action.RENEW)),
    (State.LOST, Input.LATE): (State.LOST, (Action.PROBE,)),
    (State.LOST, Input.TOO_LATE): (State.OVER, (Action.GIVE_UP,)),
    (State.OVER, Input.SOUND): (State.OVER, ()),
    (State.OVER, Input.SILENCE): (State.OVER, ()),
    (State.OVER, Input.DUE): (State.OVER, ()),
    (State.OVER, Input.LATE): (State.OVER, ()),
    (State.OVER, Input.TOO_LATE): (State.OVER, ()),
}


class PathWatch:
    """Watches one path. `now` is in seconds, by a clock that never jumps.

    Silence counts only while somebody looks: a node that was held up for long has heard nothing, but nobody was silent.
    """

    def __init__(self, now: float, *, lost_after: float = LOST_SECONDS) -> None:
        self.state = State.HEARD
        self.gap = 0.0
        """Seconds for which nothing was heard, when it was heard again the last time."""
        self._lost_after = lost_after
        self._looked_at = self._heard_at = now
        self._silence = 0.0
        self._renew_after = RENEW_SECONDS

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return TICK_SECONDS if self.state is State.HEARD else QUICK_TICK_SECONDS

    def renewed(self) -> None:
        """Let what the nodes have told each other now serve for a while."""
        self._renew_after = max(self._renew_after, self._silence + AGAIN_SECONDS)

    def look(self, now: float, *, heard: bool) -> tuple[Action, ...]:
        """Take what was found since the last look; return what is to be done."""
        self._silence += min(now - self._looked_at, 2 * TICK_SECONDS)
        self._looked_at = now
        given = self._input(heard=heard)
        if given is Input.SOUND:
            self.gap, self._heard_at = now - self._heard_at, now
            self._silence, self._renew_after = 0.0, RENEW_SECONDS
        self.state, actions = TABLE[self.state, given]
        if Action.RENEW in actions:
            self.renewed()
        return actions

    def _input(self, *, heard: bool) -> Input:
        if heard:
            return Input.SOUND
        if self._silence >= self._lost_after:
            return Input.TOO_LATE
        if self._silence >= PATIENCE_SECONDS and self.state is not State.LOST:
            return Input.LATE
        return Input.DUE if self._silence >= self._renew_after else Input.SILENCE
