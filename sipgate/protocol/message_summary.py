"""Message waiting: application/simple-message-summary (RFC 3842)."""

from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate

CONTENT_TYPE = "application/simple-message-summary"
MAX_LISTED = 10


@dataclass(frozen=True)
class Waiting:
    """One thing that waits: who it is from, as phones show it (name-addr), what it is, since when (Unix seconds)."""

    from_: str
    subject: str
    at: float


def compose(account: str, waiting: Sequence[Waiting]) -> bytes:
    """Return the body: the count that lights the lamp, then headers of the latest ten (RFC 3842 3.5)."""
    lines = [
        f"Messages-Waiting: {'yes' if waiting else 'no'}",
        f"Message-Account: {account}",
        f"Voice-Message: {len(waiting)}/0 (0/0)",
    ]
    for each in list(reversed(waiting))[:MAX_LISTED]:
        lines += [
            "",
            f"From: {each.from_}",
            f"Subject: {each.subject}",
            f"Date: {formatdate(each.at, usegmt=True)}",
        ]
    return "".join(f"{line}\r\n" for line in lines).encode()
