"""What a phone says of its media, without what tells whose phone it is: for calls whose caller stays anonymous.

Phones write names into descriptions (o=, s=, `a=ssrc ... cname`) and into RTCP (the CNAME is often `alice@192.0.2.7`).
What is kept are the lines that both ends need to understand each other; whatever else a phone may think of goes.
"""

from dataclasses import replace

from .rtp import parts
from .sdp import SessionDescription, attribute

KEPT = frozenset(
    {
        # codecs and their settings: RFC 8866, RFC 4585, RFC 8108
        *("rtpmap", "fmtp", "rtcp-fb", "ptime", "maxptime", "framerate", "silenceSupp", "rtcp-rsize"),
        # hold: RFC 3264
        *("sendrecv", "sendonly", "recvonly", "inactive"),
        # the names of sections (RFC 5888): both ends refer to them
        *("mid", "group"),
    }
)
_KEPT_LINES = ("v=", "c=", "b=", "t=")
_NO_NAME, _NO_ADDRESS = "-", "0.0.0.0"  # noqa: S104 - nothing is bound to it

_SOURCES, _BYE = 202, 203
_KEPT_RTCP = frozenset({200, 201, 205, 206, 207})
_CNAME = b"\x01\x09anonymous\x00"


def nameless(description: SessionDescription) -> SessionDescription:
    """Return the description with its codecs, its directions, and the session's number and version alone."""
    lines = (_nameless_line(line) for line in description.lines)
    media = (
        replace(section, lines=tuple(filter(None, map(_nameless_line, section.lines))))
        for section in description.media
    )
    return SessionDescription(tuple(filter(None, lines)), tuple(media))


def _nameless_line(line: str) -> str | None:
    """Return what is left of a line; None when that is nothing."""
    pair = attribute(line)
    if pair is not None:
        return line if pair[0] in KEPT else None
    if line.startswith("o="):
        _, number, version = (*line.split(" ")[:3], "0", "0")[:3]
        return f"o={_NO_NAME} {number} {version} IN IP4 {_NO_ADDRESS}"
    if line.startswith("s="):
        return f"s={_NO_NAME}"
    return line if line.startswith(_KEPT_LINES) else None


def nameless_rtcp(packet: bytes) -> bytes:
    """Return a compound RTCP packet (RFC 3550 6.1) with one constant CNAME, without reasons and other text.

    Reports and feedback stay as they are. Empty when nothing is left.
    """
    return b"".join(_nameless_part(packet[start:end]) for start, end in parts(packet))


def _nameless_part(part: bytes) -> bytes:
    kind = part[1]
    if kind in _KEPT_RTCP:
        return part
    if kind == _SOURCES:
        return _with_length(b"\x81" + part[1:2], part[4:8] + _CNAME)
    if kind == _BYE:
        sources = part[4 : 4 + 4 * (part[0] & 31)]
        return _with_length(bytes([0x80 | len(sources) // 4]) + part[1:2], sources) if sources else b""
    return b""


def _with_length(first: bytes, rest: bytes) -> bytes:
    return first + (len(rest) // 4).to_bytes(2) + rest
