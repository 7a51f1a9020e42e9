"""multipart/mixed bodies (RFC 2046 section 5.1), built and read within bounds."""

import hashlib
from dataclasses import dataclass

from .errors import SipError
from .headers import Headers, parse_headers
from .media_type import MediaType
from .scanner import bad

MAX_PARTS = 16
MAX_PART_HEADERS = 16


@dataclass(frozen=True)
class Part:
    """One part: its media type, its headers, its bytes."""

    content_type: MediaType
    headers: Headers
    body: bytes


def build(parts: list[tuple[str, bytes]]) -> tuple[str, bytes]:
    """Return (Content-Type, body) of a multipart/mixed body of ``parts``.

    The boundary is a hash of the parts, lengthened until it occurs in none of them. The caller answers for the media
    types: a line break in one raises ValueError.
    """
    digest = hashlib.sha256(b"".join(body for _, body in parts)).hexdigest()
    boundary = digest[:16]
    while any(boundary.encode() in body for _, body in parts):
        digest = hashlib.sha256(digest.encode()).hexdigest()
        boundary = digest[:32]
    out = bytearray()
    for content_type, body in parts:
        if "\r" in content_type or "\n" in content_type:
            raise ValueError(f"not a media type: {content_type!r}")
        head = f"--{boundary}\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        out += head.encode("utf-8", "surrogateescape") + body + b"\r\n"
    out += f"--{boundary}--\r\n".encode()
    return f"multipart/mixed;boundary={boundary}", bytes(out)


def parse(content_type: str, body: bytes) -> list[Part]:
    """Return the parts of a body; a body of another type is one part.

    Raises:
        SipError: 400 malformed, 413 more than 16 parts.
    """
    media_type = MediaType.parse(content_type)
    if not media_type.essence.startswith("multipart/"):
        return [Part(media_type, Headers(), body)]
    boundary = media_type.parameter("boundary") or ""
    if not 0 < len(boundary) <= 70:
        raise bad("multipart boundary")
    delimiter = b"\r\n--" + boundary.encode("utf-8", "surrogateescape")
    pieces = (b"\r\n" + body).split(delimiter, MAX_PARTS + 2)
    if len(pieces) > MAX_PARTS + 2:
        raise SipError(413, "Request Entity Too Large")
    parts: list[Part] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            if not parts:
                break
            return parts
        line_end = piece.find(b"\r\n")
        if line_end < 0 or piece[:line_end].strip(b" \t"):
            raise bad("multipart body")
        parts.append(_parse_part(piece[line_end + 2 :]))
    raise bad("multipart body: no part, or the last is not closed")


def _parse_part(piece: bytes) -> Part:
    if piece.startswith(b"\r\n"):
        head, body = b"", piece[2:]
    else:
        head, blank, body = piece.partition(b"\r\n\r\n")
        if not blank:
            head, body = piece, b""
    lines = head.decode("utf-8", "surrogateescape").split("\r\n") if head else []
    headers = parse_headers(lines, MAX_PART_HEADERS)
    return Part(MediaType.parse(headers.get("Content-Type") or "text/plain"), headers, body)
