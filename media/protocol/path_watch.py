"""Whether the path to the peer lives: what is heard, and when, decides what is done. A table, without a clock.

RFC 7675 lets a peer be silent for 30 s. Here the first half second without anything that only the peer can have sent
is looked into, and after two the path counts as lost and another is looked for.
"""

from enum import Enum, auto

TICK_SECONDS = 0.5
"""Between two looks, while the peer is heard."""

QUICK_TICK_SECONDS = 0.1
"""Between two looks, while it is not."""

PATIENCE_SECONDS = 2.0
"""So long without anything, and the path is lost; then between two requests for another one."""

MOVED_PATIENCE_SECONDS = 0.8
"""The same, when this machine has just changed its addresses."""

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
    (State.HEARD, Input.LATE): (State.LOST, (Action.TELL_LOST, Action.RENEW, Action.PROBE)),
    (State.HEARD, Input.TOO_LATE): (State.OVER, (Action.GIVE_UP,)),
    (State.SILENT, Input.SOUND): (State.HEARD, ()),
    (State.SILENT, Input.SILENCE): (State.SILENT, (Action.PROBE,)),
    (State.SILENT, Input.LATE): (State.LOST, (Action.TELL_LOST, Action.RENEW, Action.PROBE)),
    (State.SILENT, Input.TOO_LATE): (State.OVER, (Action.GIVE_UP,)),
    (State.LOST, Input.SOUND): (State.HEARD, (Action.TELL_FOUND,)),
    (State.LOST, Input.SILENCE): (State.LOST, (Action.PROBE,)),
    (State.LOST, Input.LATE): (State.LOST, (Action.RENEW, Action.PROBE)),
    (State.LOST, Input.TOO_LATE): (State.OVER, (Action.GIVE_UP,)),
    (State.OVER, Input.SOUND): (State.OVER, ()),
    (State.OVER, Input.SILENCE): (State.OVER, ()),
    (State.OVER, Input.LATE): (State.OVER, ()),
    (State.OVER, Input.TOO_LATE): (State.OVER, ()),
}


class PathWatch:
    """Watches one path. `now` is in seconds, by a clock that never jumps."""

    def __init__(self, now: float, *, lost_after: float = LOST_SECONDS) -> None:
        self.state = State.HEARD
        self._lost_after = lost_after
        self._heard_at = self._asked_at = now
        self._patience = PATIENCE_SECONDS
        self.gap = 0.0
        """Seconds for which nothing was heard, when it was heard again the last time."""

    @property
    def pause(self) -> float:
        """Seconds until the next look."""
        return TICK_SECONDS if self.state is State.HEARD else QUICK_TICK_SECONDS

    def moved(self) -> None:
        """Be less patient until the peer is heard: this machine's addresses have changed."""
        self._patience = MOVED_PATIENCE_SECONDS

    def look(self, now: float, *, heard: bool) -> tuple[Action, ...]:
        """Take what was found since the last look; return what is to be done."""
        given = self._input(now, heard=heard)
        if given is Input.SOUND:
            self.gap, self._heard_at, self._patience = now - self._heard_at, now, PATIENCE_SECONDS
        self.state, actions = TABLE[self.state, given]
        if Action.RENEW in actions:
            self._asked_at, self._patience = now, PATIENCE_SECONDS
        return actions

    def _input(self, now: float, *, heard: bool) -> Input:
        if heard:
            return Input.SOUND
        if now - self._heard_at >= self._lost_after:
            return Input.TOO_LATE
        late = now - max(self._heard_at, self._asked_at) >= self._patience
        return Input.LATE if late else Input.SILENCE
