"""Message waiting: application/simple-message-summary (RFC 3842)."""

from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate

CONTENT_TYPE = "application/simple-message-summary"
MAX_BODY = 255  # bytes: baresip 1.0 shows nothing of a longer one


@dataclass(frozen=True)
class Waiting:
    """One thing that waits: who it is from, as phones show it (name-addr), what it is, since when (Unix seconds)."""

    from_: str
    subject: str
    at: float


def compose(account: str, count: int, latest_first: Iterable[Waiting]) -> bytes:
    """Return the body: the count that lights the lamp, then headers of the latest (RFC 3842 3.5), as many as fit."""
    body = _lines(
        f"Messages-Waiting: {'yes' if count else 'no'}",
        f"Message-Account: {account}",
        f"Voice-Message: {count}/0 (0/0)",
    )
    for each in latest_first:
        date = formatdate(each.at, usegmt=True)
        listed = _lines("", f"From: {each.from_}", f"Subject: {each.subject}", f"Date: {date}")
        if len(body) + len(listed) > MAX_BODY:
            break
        body += listed
    return body


def _lines(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
