"""The m= lines of a session description, for those who pass it on otherwise unread (RFC 8866 5.14)."""

from __future__ import annotations

import re

_LINE = re.compile(rb"^m=(\S+) [0-9]{1,5}((?:/[0-9]+)? [^\r\n]*)", re.MULTILINE)


def kinds(sdp: bytes) -> list[bytes]:
    """Return audio, video and so on, in order."""
    return [found[1] for found in _LINE.finditer(sdp)]


def declined(offer: bytes) -> bytes:
    """Return an answer that takes no stream of an offer: the same lines with port 0 (RFC 3264 6)."""
    return _LINE.sub(rb"m=\1 0\2", offer)
