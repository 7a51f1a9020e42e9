"""What is known of one call: who, when, how well secured, how it ended."""

import json
import math
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

MAX_TEXT = 256

Sound = dict[str, Any]
"""The fields of a call that tell what it sounds like: ``mos``, ``loss``, ``jitter_ms``, ``round_trip_ms``."""


@dataclass(frozen=True)
class CallRecord:
    """One call, as `GET /v1/calls` and `GET /v1/history` show it (docs/control-api.md).

    ``started_at`` is in Unix seconds, ``duration`` in seconds since the answer. ``trust`` is what was known of the
    peer before the call; ``fingerprint`` is empty and ``signed`` false until the confirmation has run. ``by``,
    ``status`` and ``reason`` tell the end, and are empty before it. ``forwarded_by`` is who had the call sent on to the
    peer, empty when nobody had. ``mos`` (1 to 4.41), ``loss`` (0 to 1), ``jitter_ms`` and ``round_trip_ms`` tell what
    sounded here, and are None until something has. ``phones_secured_by`` is ``ZRTP`` or ``SRTP`` where
    ``phones_secure_themselves``. ``anonymous``: the caller does not say who they are.
    """

    call: str
    direction: str
    peer: str
    started_at: float
    display: str = ""
    trust: str = ""
    call_id: str = ""
    answered: bool = False
    duration: float = 0.0
    fingerprint: str = ""
    signed: bool = False
    by: str = ""
    status: int = 0
    reason: str = ""
    missed: bool = False
    forwarded_by: str = ""
    phones_secure_themselves: bool = False
    phones_secured_by: str = ""
    mos: float | None = None
    loss: float | None = None
    jitter_ms: float | None = None
    round_trip_ms: float | None = None
    anonymous: bool = False

    @property
    def is_uninvited(self) -> bool:
        """Whether a stranger called and nobody answered: anybody can make as many of these as they like."""
        return (
            self.direction == "in" and self.trust in ("new", "introduced", "anonymous") and not self.answered
        )

    def clipped(self) -> "CallRecord":
        """Return the record with no text longer than `MAX_TEXT`: some of them are the other side's words."""
        texts: dict[str, Any] = {
            name: value[:MAX_TEXT] for name, value in vars(self).items() if isinstance(value, str)
        }
        return replace(self, **texts)

    def as_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        return {**shown, "started_at": round(self.started_at, 3), "duration": round(self.duration, 1)}

    @cached_property
    def _line(self) -> bytes:
        return json.dumps(self.as_json(), sort_keys=True).encode() + b"\n"

    def __bytes__(self) -> bytes:
        """Return the line of the file. It is made once: thousands are written after each call, beside calls."""
        return self._line

    @classmethod
    def parse(cls, line: bytes) -> "CallRecord":
        """Read what `bytes()` writes; raise ValueError or TypeError when it is something else."""
        record = cls(**json.loads(line))
        sound = (record.mos, record.loss, record.jitter_ms, record.round_trip_ms)
        for figure in (record.started_at, record.duration, *(each for each in sound if each is not None)):
            if not isinstance(figure, int | float) or not math.isfinite(figure):
                raise ValueError("a figure is no number")
        return record
