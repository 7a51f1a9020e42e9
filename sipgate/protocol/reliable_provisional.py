"""Provisional responses that arrive (RFC 3262): numbered, repeated until their PRACK, and taken in order.

Both sides compute only: `now` is in seconds, `wake_at` says when to call `wake`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from .cseq import CSeq
from .errors import SipError
from .message import Request, Response
from .scanner import bad

OPTION = "100rel"
MAX_RSEQ = 2**32 - 1
MAX_FIRST_RSEQ = 2**31 - 1
MAX_QUEUED = 16
PATIENCE = 64  # times T1


@dataclass(frozen=True)
class RAck:
    """Which response a PRACK confirms: its RSeq, and the CSeq of the request that it answers."""

    rseq: int
    cseq: CSeq

    @classmethod
    def parse(cls, text: str) -> RAck:
        """Read an RAck value.

        Raises:
            SipError: malformed or too large.
        """
        number, _, rest = text.strip(" \t").replace("\t", " ").partition(" ")
        return cls(_rseq(number, "RAck"), CSeq.parse(rest))

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq}"


def wants(invite: Request) -> bool:
    """Tell whether a caller can take reliable responses."""
    return _has(invite, "Supported") or requires(invite)


def requires(message: Request | Response) -> bool:
    """Tell whether a caller insists on them, or a response is one."""
    return _has(message, "Require")


class ReliableSender:
    """The callee's side of one INVITE: one response on its way at a time, the others wait for its PRACK."""

    def __init__(self, first_rseq: int, t1: float) -> None:
        if not 1 <= first_rseq <= MAX_FIRST_RSEQ:
            raise ValueError(f"{first_rseq} is no first RSeq")
        self._rseq = first_rseq - 1
        self._t1 = t1
        self._interval = t1
        self._gives_up_at = 0.0
        self._waiting: deque[Response] = deque()
        self._sent: Response | None = None
        self._sent_number = 0
        self.wake_at: float | None = None
        self.has_failed = False

    @property
    def is_settled(self) -> bool:
        """Tell whether everything was confirmed: then a 2xx may follow (section 3)."""
        return self._sent is None and not self._waiting

    def send(self, response: Response, now: float) -> list[Response]:
        """Take a response (101 to 199); return what to send. One too many is dropped: a newer one says more."""
        if len(self._waiting) < MAX_QUEUED and not self.has_failed:
            self._waiting.append(response)
        return self._next(now)

    def prack(self, rack: RAck, invite: Request, now: float) -> list[Response]:
        """Take a PRACK; return what to send next.

        Raises:
            SipError: 481 when it confirms nothing that is on its way.
        """
        if self._sent is None or rack != RAck(self._sent_number, invite.cseq):
            raise SipError(481, "No such provisional response")
        self._sent = self.wake_at = None
        return self._next(now)

    def wake(self, now: float) -> list[Response]:
        """Return what to repeat; set `has_failed` when nobody has confirmed it for 64*T1."""
        if self._sent is None or self.wake_at is None or now < self.wake_at:
            return []
        if now >= self._gives_up_at:
            self.has_failed = True
            self.stop()
            return []
        self._interval *= 2
        self.wake_at = min(now + self._interval, self._gives_up_at)
        return [self._sent]

    def stop(self) -> None:
        """The INVITE has its final response: nothing is repeated any more."""
        self._sent = self.wake_at = None
        self._waiting.clear()

    def _next(self, now: float) -> list[Response]:
        if self._sent is not None or not self._waiting:
            return []
        self._sent = self._waiting.popleft()
        self._rseq += 1
        self._sent_number = self._rseq
        self._sent.headers.add("Require", OPTION)
        self._sent.headers.add("RSeq", str(self._rseq))
        self._interval = self._t1
        self._gives_up_at = now + PATIENCE * self._t1
        self.wake_at = now + self._interval
        return [self._sent]


class ReliableReceiver:
    """The caller's side of one early dialog: which response is new, and how to confirm it."""

    def __init__(self) -> None:
        self._last: int | None = None

    def take(self, response: Response) -> RAck | None:
        """Return what confirms a reliable response; None for one that came before or that overtook another.

        Raises:
            SipError: it has no usable RSeq.
        """
        values = response.headers.get_all("RSeq")
        if len(values) != 1:
            raise bad("RSeq")
        number = _rseq(values[0].strip(" \t"), "RSeq")
        if self._last is not None and number != self._last + 1:
            return None
        self._last = number
        return RAck(number, response.cseq)


def _rseq(text: str, what: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or not 1 <= int(text) <= MAX_RSEQ:
        raise bad(what)
    return int(text)


def _has(message: Request | Response, header: str) -> bool:
    return any(tag.lower() == OPTION for tag in message.headers.get_all(header))
