"""The m= lines of a session description, for those who pass it on otherwise unread (RFC 8866 5.14)."""

from __future__ import annotations

import re

_LINE = re.compile(rb"^m=(\S+) [0-9]{1,5}((?:/[0-9]+)? [^\r\n]*)", re.MULTILINE)


def kinds(sdp: bytes) -> list[bytes]:
    """Return audio, video and so on, in order."""
    return [found[1] for found in _LINE.finditer(sdp)]


def is_encrypted(sdp: bytes) -> bool:
    """Tell whether every stream that is on, of whatever kind, is SRTP (RFC 3711, RFC 5764)."""
    return all(_is_off_or_srtp(line) for line in re.split(rb"[\r\n]+", sdp) if line.startswith(b"m="))


def has_keys(sdp: bytes) -> bool:
    """Tell whether keys stand in a description that somebody is to use (RFC 4568): beside plain RTP nobody does."""
    return b"a=crypto:" in sdp and re.search(rb"^m=[^\r\n]* (?:RTP/SAVPF?) ", sdp, re.MULTILINE) is not None


def has_fingerprint(sdp: bytes) -> bool:
    """Tell whether the keys of a description come by DTLS (RFC 5764 section 8): none stand in it."""
    return b"a=fingerprint:" in sdp and not has_keys(sdp)


def _is_off_or_srtp(line: bytes) -> bool:
    fields = line.split(b" ", 3)
    return len(fields) > 3 and (fields[1] == b"0" or fields[2].endswith((b"/SAVP", b"/SAVPF")))


def declined(offer: bytes) -> bytes:
    """Return an answer that takes no stream of an offer: the same lines with port 0 (RFC 3264 6)."""
    return _LINE.sub(rb"m=\1 0\2", offer)
