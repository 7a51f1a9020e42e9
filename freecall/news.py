"""Turns what the packages report into the events of docs/events.md."""

import re
from collections.abc import Iterable
from functools import lru_cache

from overlay.events import CutOff, Joined, Lonely, OverlayEvent, ReachabilityChanged, Republished
from sipgate.events import CallEnded, CallRefused, CallStarted, GatewayEvent

from .events import EventLog

MAX_CALLS = 1000


@lru_cache
def snake_case(name: str) -> str:
    """Return ``CallStarted`` as ``call_started``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


class GatewayNews:
    """Emits the gateway's events, adds the peer to each, and remembers which call a SIP Call-ID belongs to."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._started: dict[str, CallStarted] = {}

    def __call__(self, event: GatewayEvent) -> None:
        """Emit ``event``."""
        fields = dict(vars(event))
        if isinstance(event, CallStarted):
            if len(self._started) >= MAX_CALLS:
                self._started.pop(next(iter(self._started)))
            self._started[event.call] = event
        elif isinstance(event, CallEnded | CallRefused):
            started = self._started.pop(event.call, None)
            if started is not None:
                fields["peer"] = started.peer
        self._log.emit(snake_case(type(event).__name__), **fields)

    def call_of(self, call_id: str, role: str) -> str:
        """Return the short id of the call whose mesh leg has this SIP Call-ID; a call to oneself has two roles."""
        direction = "out" if role == "caller" else "in"
        for call, started in self._started.items():
            if started.call_id == call_id and started.direction == direction:
                return call
        return call_id


def tell_overlay_news(log: EventLog, uris: Iterable[str], event: OverlayEvent) -> None:
    """Emit what the overlay reports; ``uris`` are the names that this node publishes."""
    match event:
        case Joined(contacts=contacts):
            log.emit("joined", contacts=contacts)
        case Republished(copies=copies):
            for uri in uris:
                log.emit("published", uri=uri, copies=copies)
        case Lonely():
            log.emit("isolated", reason="alone")
        case CutOff():
            log.emit("isolated", reason="not found")
        case ReachabilityChanged(is_reachable=is_reachable, seen_as=seen_as):
            log.emit("reachability", reachable=is_reachable, seen_as=seen_as)
