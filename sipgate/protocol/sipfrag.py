"""The body of a NOTIFY about a REFER: the status line of what became of it (RFC 3420, RFC 3515 2.4.5)."""

from __future__ import annotations

import re

from .scanner import bad

CONTENT_TYPE = "message/sipfrag"
MAX_PHRASE = 160
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})(?: ([^\r\n]*))?(?:\r?\n|\Z)")


def build(status: int, phrase: str) -> bytes:
    """Return a fragment: a status line and nothing else."""
    return f"SIP/2.0 {status} {phrase}\r\n".encode("utf-8", "surrogateescape")


def parse(body: bytes) -> tuple[int, str]:
    """Return status and phrase; the rest of the fragment is left.

    Raises:
        SipError: 400 when it does not begin with a status line.
    """
    found = _STATUS_LINE.match(body)
    if found is None:
        raise bad("message/sipfrag")
    return int(found[1]), (found[2] or b"")[: 4 * MAX_PHRASE].decode("utf-8", "replace")[:MAX_PHRASE]
