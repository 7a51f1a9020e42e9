"""Follows each call by the events of docs/events.md, and puts down those that are over."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

from .call_record import CallRecord, Sound
from .events import Event

MAX_CALLS = 1000

Stage = Literal["calling", "ringing", "answered"]


class Book(Protocol):
    """Where calls are put down; `History` is one."""

    def add(self, record: CallRecord) -> None:
        """Put down a call that is over."""

    def note_sound(self, call: str, sound: Sound) -> None:
        """Note what a call that is over, but was put down a moment ago, sounded like."""

    def mark_missed(self, call_id: str, peer: str) -> bool:
        """Note that the call of `peer` with this Call-ID, which nobody answered, was missed; False if there is none."""


@dataclass
class _Standing:
    """A call in progress; ``answered_at`` is on the clock that never jumps."""

    record: CallRecord
    stage: Stage = "calling"
    answered_at: float | None = None
    they_hear_you: str = ""
    you_hear_them: str = ""

    def as_json(self, now: float) -> dict[str, Any]:
        """Return it with what only a call in progress has."""
        heard = {"they_hear_you": self.they_hear_you, "you_hear_them": self.you_hear_them}
        return {**self.as_of(now).as_json(), "state": self.stage, **heard}

    def as_of(self, now: float) -> CallRecord:
        if self.answered_at is None:
            return self.record
        return replace(self.record, answered=True, duration=now - self.answered_at)


class CallWatch:
    """The calls in progress. `monotonic` gives seconds: how long a call lasted does not depend on the date.

    A call to one's own node, such as echo@mesh, has two ends here: it is followed once, as the call that was placed.
    """

    def __init__(self, book: Book, monotonic: Callable[[], float]) -> None:
        self._book = book
        self._monotonic = monotonic
        self._standing: dict[str, _Standing] = {}

    def __contains__(self, call: str) -> bool:
        return call in self._standing

    def current(self) -> list[dict[str, Any]]:
        """Return the calls in progress, the oldest first, each with its ``state`` and who hears whom."""
        now = self._monotonic()
        return [each.as_json(now) for each in self._standing.values()]

    def observe(self, event: Event) -> None:
        """Take an event of the node."""
        match event.name:
            case "call_started":
                self._start(event)
            case "call_refused" | "call_ended":
                self._end(event)
            case "call_missed":
                self._miss(event)
            case _:
                standing = self._standing.get(event.fields.get("call", ""))
                if standing is not None:
                    self._change(standing, event)
                elif event.name == "call_quality":
                    self._book.note_sound(event["call"], _sound(event))

    def _start(self, event: Event) -> None:
        if event["direction"] == "in" and self._is_own(event):
            return
        if len(self._standing) >= MAX_CALLS:
            self._standing.pop(next(iter(self._standing)))
        fields = ("call", "direction", "peer", "display", "trust", "call_id", "anonymous")
        record = CallRecord(started_at=event.at, **{name: event[name] for name in fields})
        if (before := self._standing.get(record.call)) is not None:
            former = before.record
            record = replace(record, started_at=former.started_at, forwarded_by=former.forwarded_by)
        self._standing[record.call] = _Standing(record)

    def _is_own(self, event: Event) -> bool:
        """Tell whether a call that came in is the other end of one that was placed here."""
        placed = {each.record.call_id for each in self._standing.values() if each.record.direction == "out"}
        return event["trust"] == "self" and event["call_id"] in placed

    def _change(self, standing: _Standing, event: Event) -> None:
        match event.name:
            case "call_ringing" if standing.stage == "calling":
                standing.stage = "ringing"
            case "call_quality":
                standing.record = replace(standing.record, **_sound(event))
            case "call_hearing":
                standing.they_hear_you, standing.you_hear_them = (
                    event["they_hear_you"],
                    event["you_hear_them"],
                )
            case "phones_secure_themselves":
                by = event["by"]
                standing.record = replace(
                    standing.record, phones_secure_themselves=by != "", phones_secured_by=by
                )
            case "call_forwarded":
                standing.record = replace(standing.record, forwarded_by=event["by"])
            case "call_answered":
                standing.stage, standing.answered_at = "answered", self._monotonic()
            case "call_secured":
                standing.record = replace(
                    standing.record, signed=event["signed"], fingerprint=event["fingerprint"]
                )

    def _end(self, event: Event) -> None:
        """Put the call down; an attempt from outside that was turned away before it rang is none of ours."""
        standing = self._standing.pop(event["call"], None)
        if standing is not None:
            record = standing.as_of(self._monotonic())
        elif event.name == "call_refused" and event["direction"] == "out":
            record = CallRecord(event["call"], "out", event["peer"], event.at)
        else:
            return
        by = event.fields.get("by", "")
        self._book.add(replace(record, by=by, status=event["status"], reason=event["reason"]))

    def _miss(self, event: Event) -> None:
        """Mark the call that rang in vain; put down the one that could not even ring, as no phone was on."""
        if self._is_own(event) or self._book.mark_missed(event["call_id"], event["peer"]):
            return
        self._book.add(
            CallRecord(
                "",
                "in",
                event["peer"],
                event.at,
                display=event["display"],
                trust=event["trust"],
                call_id=event["call_id"],
                status=480,
                reason="No phone was on",
                missed=True,
                anonymous=event["trust"] == "anonymous",
            )
        )


def _sound(event: Event) -> Sound:
    heard = event["received"] + event["lost"]
    return {
        "mos": event["mos"],
        "loss": round(event["lost"] / heard, 4) if heard else 0.0,
        "jitter_ms": event["jitter_ms"],
        "round_trip_ms": event["round_trip_ms"],
    }
