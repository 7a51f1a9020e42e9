"""The m= lines of a session description, for those who pass it on otherwise unread (RFC 8866 5.14)."""

from __future__ import annotations

import re

_LINE = re.compile(rb"^m=(\S+) [0-9]{1,5}((?:/[0-9]+)? [^\r\n]*)", re.MULTILINE)
_RTP_ON = re.compile(rb"^m=(?:audio|video|text) [1-9][0-9]{0,4}(?:/[0-9]+)? (\S+)", re.MULTILINE)


def kinds(sdp: bytes) -> list[bytes]:
    """Return audio, video and so on, in order."""
    return [found[1] for found in _LINE.finditer(sdp)]


def is_encrypted(sdp: bytes) -> bool:
    """Tell whether every stream of sound, picture or text that is on is SRTP (RFC 3711, RFC 5764)."""
    return all(profile.endswith((b"/SAVP", b"/SAVPF")) for profile in _RTP_ON.findall(sdp))


def declined(offer: bytes) -> bytes:
    """Return an answer that takes no stream of an offer: the same lines with port 0 (RFC 3264 6)."""
    return _LINE.sub(rb"m=\1 0\2", offer)
