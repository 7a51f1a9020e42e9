"""Session timers (RFC 4028): who refreshes a call how often, and when it counts as dead.

A phone that does not do them is asked by us in the same rhythm whether it is still there. Pure: `now` is in
seconds, `wake_at` says when to call `wake`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from .errors import SipError
from .message import Message, Request, Response
from .scanner import bad, parse_parameters

OPTION = "timer"
MIN_SE = 90
MAX_SECONDS = 2**31 - 1
MARGIN = 32.0  # seconds before the end, or a third of the interval: when BYE is sent (section 10)
RETRY = 5.0  # seconds after a refresh that was refused for the moment

Refresher = Literal["uac", "uas"]


@dataclass(frozen=True)
class SessionExpires:
    """The Session-Expires header: `uac` is who sends the request."""

    seconds: int
    refresher: Refresher | None = None

    @classmethod
    def of(cls, message: Message) -> SessionExpires | None:
        """Return what a message says, None when it says nothing.

        Raises:
            SipError: malformed, or there twice.
        """
        values = message.headers.get_all("Session-Expires")
        if not values:
            return None
        number, semicolon, rest = values[0].partition(";")
        refresher = parse_parameters(semicolon + rest, "Session-Expires").get("refresher")
        if len(values) > 1 or refresher not in (None, "uac", "uas"):
            raise bad("Session-Expires")
        return cls(_seconds(number, "Session-Expires"), refresher)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.seconds};refresher={self.refresher}" if self.refresher else str(self.seconds)


@dataclass(frozen=True)
class Agreement:
    """`interval` in seconds. `has_timer`: the phone does session timers; else we ask it by OPTIONS."""

    interval: int
    we_refresh: bool = True
    has_timer: bool = False


def supports(message: Message) -> bool:
    """Tell whether who sent a message does session timers."""
    tags = [*message.headers.get_all("Supported"), *message.headers.get_all("Require")]
    return any(tag.lower() == OPTION for tag in tags)


def min_se(message: Message) -> int:
    """Return the Min-SE of a message, 90 without one.

    Raises:
        SipError: malformed.
    """
    value = message.headers.get("Min-SE")
    return MIN_SE if value is None else _seconds(value.partition(";")[0], "Min-SE")


def agree_as_uas(request: Request, before: Agreement, least: int) -> Agreement:
    """Return what is agreed by our 2xx to an INVITE or UPDATE (section 9). `before` is what we want or have.

    Raises:
        SipError: 422 for an interval below `least` seconds; 400.
    """
    if not supports(request):
        return Agreement(before.interval)
    asked = SessionExpires.of(request)
    if asked is not None and asked.seconds < least:
        raise SipError(422, "Session Interval Too Small")
    interval = before.interval if asked is None else min(asked.seconds, before.interval)
    we_refresh = before.we_refresh if asked is None or asked.refresher is None else asked.refresher == "uas"
    floor = min_se(request) if "Min-SE" in request.headers else least
    return Agreement(max(interval, floor), we_refresh, has_timer=True)


def agree_as_uac(response: Response, before: Agreement) -> Agreement:
    """Return what is agreed by a 2xx to our request (section 7.2).

    Raises:
        SipError: malformed.
    """
    said = SessionExpires.of(response)
    if said is None:
        return Agreement(before.interval)
    return Agreement(said.seconds, said.refresher != "uas", has_timer=True)


def in_request(agreement: Agreement) -> list[tuple[str, str]]:
    """Return the headers of a request of ours."""
    expires = SessionExpires(agreement.interval, "uac" if agreement.we_refresh else "uas")
    return [("Session-Expires", str(expires)), ("Min-SE", str(min(MIN_SE, agreement.interval)))]


def in_response(agreement: Agreement) -> list[tuple[str, str]]:
    """Return the headers of a 2xx of ours; none for a phone that has no timers."""
    if not agreement.has_timer:
        return []
    expires = SessionExpires(agreement.interval, "uas" if agreement.we_refresh else "uac")
    required = [] if agreement.we_refresh else [("Require", OPTION)]
    return [*required, ("Session-Expires", str(expires))]


class Due(Enum):
    """What has become due."""

    REFRESH = auto()
    EXPIRED = auto()


class SessionTimer:
    """The timer of one dialog."""

    def __init__(self) -> None:
        self.agreement = Agreement(0)
        self.wake_at: float | None = None
        self._expires_at = 0.0

    def begin(self, agreement: Agreement, now: float) -> None:
        """The session stands, or was refreshed by either side. An interval of 0 switches the timer off."""
        self.agreement = agreement
        interval = agreement.interval
        if interval <= 0:
            self.wake_at = None
            return
        self._expires_at = now + interval - min(MARGIN, interval / 3)
        self.wake_at = now + interval / 2 if agreement.we_refresh else self._expires_at

    def wake(self, now: float) -> Due | None:
        """Return what is due; after `REFRESH` say how it went by `begin` or `put_off`."""
        if self.wake_at is None or now < self.wake_at:
            return None
        if now >= self._expires_at:
            self.wake_at = None
            return Due.EXPIRED
        self.wake_at = self._expires_at
        return Due.REFRESH

    def put_off(self, now: float) -> None:
        """The refresh was refused, for another request is pending: try again, as long as there is time."""
        if self.wake_at is not None:
            self.wake_at = min(now + RETRY, self._expires_at)

    def stop(self) -> None:
        """The call is over."""
        self.wake_at = None


def _seconds(text: str, what: str) -> int:
    text = text.strip(" \t")
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > MAX_SECONDS:
        raise bad(what)
    return int(text)
