"""Messages out of a stream: Content-Length framing (RFC 3261 18.3) and the keep-alive of RFC 5626 section 3.5.1."""

import re
from dataclasses import dataclass

from .errors import SipError
from .headers import fold_name
from .message import MAX_MESSAGE, parse_number
from .scanner import WSP, bad

PING = b"\r\n\r\n"
PONG = b"\r\n"
# line breaks at the front, all at once: 64 KiB of them would be 65,536 steps
_BREAKS = re.compile(rb"[\r\n]+")
# one by one: a ping, at the end perhaps the first half of one, or what means nothing
_BREAK = re.compile(rb"\r\n\r\n|\r\n\r?\Z|\r\n|\r|\n")
_HALVES = (b"\r", b"\r\n", b"\r\n\r")


@dataclass(frozen=True)
class Ping:
    """The peer sent a double CRLF: answer with `PONG`."""


class StreamFramer:
    """Cuts a byte stream into messages. After a `SipError` the stream cannot be used any more."""

    def __init__(self, max_message: int = MAX_MESSAGE) -> None:
        self._max = max_message
        self._buffer = bytearray()
        self._scanned = 0
        self._total = 0  # length of the message at hand, once its headers are complete

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished message are held."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | Ping]:
        """Take bytes in; return the complete messages and pings, in order.

        Raises:
            SipError: a message without a usable Content-Length, or larger than the cap.
        """
        self._buffer += data
        out: list[bytes | Ping] = []
        while True:
            if breaks := _BREAKS.match(self._buffer):
                out += self._pings(breaks[0])
            piece = self._next()
            if piece is None:
                return out
            out.append(piece)

    def _pings(self, breaks: bytes) -> list[Ping]:
        """Drop the line breaks at the front; return the pings among them. What may be half of one at the end stays."""
        found = _BREAK.findall(breaks)
        is_all = len(breaks) == len(self._buffer)
        half = found[-1] if is_all and found[-1] in _HALVES else b""
        del self._buffer[: len(breaks) - len(half)]
        self._scanned = 0
        return [Ping()] * found.count(PING)

    def _next(self) -> bytes | None:
        """Return one message, or None when more bytes are needed."""
        if self._buffer[:1] == b"\r":  # half of a ping
            return None
        if not self._total and not self._find_end():
            return None
        if len(self._buffer) < self._total:
            return None
        message = bytes(self._buffer[: self._total])
        del self._buffer[: self._total]
        self._scanned = self._total = 0
        return message

    def _find_end(self) -> bool:
        """Tell whether the headers are complete; then note the length of the message."""
        end = self._buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        if end < 0:
            self._scanned = len(self._buffer)
            if len(self._buffer) > self._max:
                raise SipError(513, "Message Too Large")
            return False
        self._total = end + 4 + _content_length(bytes(self._buffer[:end]))
        if self._total > self._max:
            raise SipError(513, "Message Too Large")
        return True


def _content_length(head: bytes) -> int:
    """Return Content-Length as `parse_message` will read it: a folded line belongs to the header before."""
    found: str | None = None
    inside = False  # the line before is Content-Length
    for line in head.decode("latin-1").split("\r\n")[1:]:
        if line[:1] in (" ", "\t"):
            if inside and found is not None:
                found = f"{found} {line.strip(WSP)}".strip(WSP)
            continue
        name, colon, value = line.partition(":")
        inside = bool(colon) and fold_name(name.rstrip(WSP)) == "content-length"
        if inside:
            if found is not None:
                raise bad("Content-Length")
            found = value.strip(WSP)
    if found is None:
        raise bad("message: no Content-Length on a stream")
    return parse_number(found, "Content-Length", 2**31)
