"""A call without a phone: `fc-call` plays a WAV file to somebody and records what comes back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .errors import FreeCallError
from .events import Event, Subscription
from .mesh_uri import canonical

DEFAULT_SECONDS = 5.0
MAX_SECONDS = 4 * 3600.0
SECURE_WITHIN_SECONDS = 15.0


@dataclass(frozen=True)
class Order:
    """What to do: whom to call, what to play and record, how long to talk after the answer (seconds).

    `anonymous` is whether the call says who we are; None leaves that to the user's settings.
    """

    uri: str
    play: Path | None
    record: Path | None
    seconds: float
    anonymous: bool | None = None

    @classmethod
    def parse(cls, raw: dict[str, Any]) -> "Order":
        """Read an order from the control API.

        Raises:
            FreeCallError: a field is missing or wrong.
        """
        uri = raw.get("uri")
        if not isinstance(uri, str):
            raise FreeCallError("Say whom to call: uri is missing.")
        seconds = raw.get("seconds")
        seconds = DEFAULT_SECONDS if seconds is None else seconds
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not 0 < seconds <= MAX_SECONDS
        ):
            raise FreeCallError(f"seconds must lie between 0 and {MAX_SECONDS:.0f}.")
        anonymous = raw.get("anonymous")
        if anonymous is not None and not isinstance(anonymous, bool):
            raise FreeCallError("anonymous is either true or false.")
        return cls(canonical(uri), _path(raw, "play"), _path(raw, "record"), float(seconds), anonymous)


def _path(raw: dict[str, Any], key: str) -> Path | None:
    value = raw.get(key)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise FreeCallError(f"{key} must be the path of a WAV file.")
    return Path(value)


class RunningCall(Protocol):
    """The gateway's handle of a call."""

    @property
    def id(self) -> str:
        """The short id that events carry."""

    async def hang_up(self, reason: str) -> None:
        """End the call."""


class Player(Protocol):
    """What counts the sound that went out and came in."""

    @property
    def packets_sent(self) -> int: ...
    @property
    def packets_received(self) -> int: ...


@dataclass
class Outcome:
    """What became of a placed call; times in milliseconds since dialling."""

    uri: str
    seconds: float = 0.0
    status: int = 0
    reason: str = ""
    trust: str | None = None
    fingerprint: str | None = None
    words: list[str] | None = None
    signed: bool = False
    ringing_ms: float | None = None
    setup_ms: float | None = None
    secured_ms: float | None = None

    @property
    def ok(self) -> bool:
        """True when the call was answered and its confirmation carried the right signature."""
        return self.status == 200 and self.signed

    def note(self, event: Event, elapsed_ms: float) -> bool:
        """Take in one event of the call; True when the call is over."""
        match event.name:
            case "call_ringing":
                self.ringing_ms = self.ringing_ms or elapsed_ms
            case "call_answered":
                self.setup_ms, self.status = elapsed_ms, 200
            case "call_secured":
                self.secured_ms = elapsed_ms
                self.trust, self.fingerprint = event["trust"], event["fingerprint"]
                self.words, self.signed = event["words"], event["signed"]
            case "call_refused":
                self.status, self.reason = event["status"], event["reason"]
                return True
            case "call_ended":
                self.reason = event["reason"]
                if event["status"] != 200:
                    self.status = event["status"]
                return True
        return False

    def as_json(self, player: Player, record: Path | None) -> dict[str, Any]:
        """Return the outcome as one stable JSON object."""
        rounded = {
            key: None if value is None else round(value, 1)
            for key, value in (
                ("ringing_ms", self.ringing_ms),
                ("setup_ms", self.setup_ms),
                ("secured_ms", self.secured_ms),
            )
        }
        return {
            "uri": self.uri,
            "ok": self.ok,
            "status": self.status,
            "reason": self.reason,
            "trust": self.trust,
            "fingerprint": self.fingerprint,
            "words": self.words,
            "signed": self.signed,
            **rounded,
            "seconds": self.seconds,
            "packets_sent": player.packets_sent,
            "packets_received": player.packets_received,
            "record": str(record) if record else None,
        }


async def follow(
    order: Order, call: RunningCall, events: Subscription, started: float, outcome: Outcome
) -> AsyncIterator[Event]:
    """Yield the events of ``call`` until it is over, hanging up once it has talked for the ordered time."""
    loop = asyncio.get_running_loop()
    deadline: float | None = None
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                event = await events.next()
        except TimeoutError:
            deadline = None
            await call.hang_up("the time is over")
            continue
        if event.fields.get("call") != call.id:
            continue
        now = loop.time()
        over = outcome.note(event, (now - started) * 1000)
        yield event
        if over:
            return
        if event.name in ("call_answered", "call_secured") and outcome.setup_ms is not None:
            is_secured = outcome.secured_ms is not None  # or soon
            deadline = now + (order.seconds if is_secured else max(order.seconds, SECURE_WITHIN_SECONDS))
        if event.name == "call_media":
            outcome.seconds = order.seconds
