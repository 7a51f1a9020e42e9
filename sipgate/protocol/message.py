"""SIP messages: bytes in, bytes out, nothing lost between (RFC 3261 section 7).

Parsing checks the shape of the message only; what a header means is read when it is asked for, and
`validate_request` checks what every request must have.
"""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from .address import Address
from .cseq import CSeq
from .errors import SipError
from .headers import Headers, fold_name, parse_headers
from .media_type import MediaType
from .reasons import REASONS
from .scanner import WSP, bad, is_token, split
from .via import Via

MAX_MESSAGE = 64 * 1024
VERSION = "SIP/2.0"
WILDCARD: Final = "*"
View = TypeVar("View")


class Message:
    """What requests and responses share. Set headers through ``headers``; views are read anew after each change."""

    def __init__(self, headers: Headers | None = None, body: bytes = b"") -> None:
        self.headers = headers if headers is not None else Headers()
        self.body = body
        self._read: dict[str, tuple[int, Any]] = {}

    def _view(self, name: str, parse: Callable[[str], View]) -> View:
        """Return what the first header of a name says; it is read once until the headers change."""
        before = self._read.get(name)
        if before is None or before[0] != self.headers.changes:
            before = self._read[name] = (self.headers.changes, parse(self._required(name)))
        view: View = before[1]
        return view

    def _start_line(self) -> str:
        raise NotImplementedError

    def __bytes__(self) -> bytes:
        start = self._start_line()
        if "\r" in start or "\n" in start:
            raise ValueError(f"not a start line: {start!r}")
        head = f"{start}\r\n{self.headers}\r\n"
        return head.encode("utf-8", "surrogateescape") + self.body

    def set_body(self, content_type: str | None, body: bytes) -> None:
        """Replace the body, its Content-Type and its Content-Length."""
        self.body = body
        if content_type is None:
            self.headers.remove("Content-Type")
        else:
            self.headers.set("Content-Type", content_type)
        self.headers.set("Content-Length", str(len(body)))

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise SipError(400, f"Missing {name}")
        return value

    @property
    def vias(self) -> list[Via]:
        """All Via values, top first."""
        return [Via.parse(value) for value in self.headers.get_all("Via")]

    @property
    def top_via(self) -> Via:
        """The first Via."""
        return self._view("Via", _parse_first_via)

    def replace_top_via(self, via: Via) -> None:
        """Put another Via in the place of the first."""
        text = str(via)
        self.headers.remove_first("Via")
        self.headers.prepend("Via", text)
        self._read["Via"] = self.headers.changes, via

    @property
    def cseq(self) -> CSeq:
        """The CSeq."""
        return self._view("CSeq", CSeq.parse)

    @property
    def from_(self) -> Address:
        """The From address."""
        return self._view("From", Address.parse)

    @property
    def to(self) -> Address:
        """The To address."""
        return self._view("To", Address.parse)

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        value = self._required("Call-ID")
        if not 0 < len(value) <= 256 or not value.isascii() or not value.isprintable() or " " in value:
            raise bad("Call-ID")
        return value

    @property
    def contacts(self) -> list[Address] | str:
        """All Contact addresses, or `WILDCARD` for ``Contact: *``."""
        values = self.headers.get_all("Contact")
        if values == [WILDCARD]:
            return WILDCARD
        return [Address.parse(value) for value in values]

    @property
    def routes(self) -> list[Address]:
        """All Route values."""
        return [Address.parse(value) for value in self.headers.get_all("Route")]

    @property
    def record_routes(self) -> list[Address]:
        """All Record-Route values."""
        return [Address.parse(value) for value in self.headers.get_all("Record-Route")]

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, None without one."""
        return self._number("Max-Forwards", 255)

    @property
    def expires(self) -> int | None:
        """Expires in seconds, None without one or with a malformed one (RFC 3261 10.3)."""
        try:
            return self._number("Expires", 2**32 - 1)
        except SipError:
            return None

    @property
    def content_type(self) -> MediaType | None:
        """The media type of the body."""
        value = self.headers.get("Content-Type")
        return None if value is None else MediaType.parse(value)

    def _number(self, name: str, largest: int) -> int | None:
        value = self.headers.get(name)
        if value is None:
            return None
        return parse_number(value, name, largest)


class Request(Message):
    """A request; ``uri`` is the Request-URI as it stands on the wire."""

    def __init__(self, method: str, uri: str, headers: Headers | None = None, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri
        self.version = VERSION

    def _start_line(self) -> str:
        return f"{self.method} {self.uri} {self.version}"


class Response(Message):
    """A response with its status and reason phrase."""

    def __init__(self, status: int, reason: str, headers: Headers | None = None, body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = reason
        self.version = VERSION

    def _start_line(self) -> str:
        return f"{self.version} {self.status} {self.reason}"


def parse_number(value: str, name: str, largest: int) -> int:
    """Return a header's whole number.

    Raises:
        SipError: no digits, or above ``largest``.
    """
    if not 0 < len(value) <= 12 or not value.isascii() or not value.isdigit() or int(value) > largest:
        raise bad(name)
    return int(value)


def _parse_first_via(value: str) -> Via:
    return Via.parse(value.partition(",")[0].strip(WSP) if '"' not in value else split(value, ",")[0])


def parse_message(data: bytes) -> Request | Response:
    """Read one message from a datagram or a framed piece of a stream. Bytes after Content-Length are dropped.

    Raises:
        SipError: malformed (400), too large (513), or of another SIP version (505).
    """
    if len(data) > MAX_MESSAGE:
        raise SipError(513, "Message Too Large")
    head, blank, body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if not blank:
        raise bad("message: no blank line after the headers")
    lines = head.decode("utf-8", "surrogateescape").split("\r\n")
    message = _parse_start_line(lines[0])
    message.headers = parse_headers(lines[1:])
    message.body = _bounded_body(message, body)
    return message


def _parse_start_line(line: str) -> Request | Response:
    if "\r" in line or "\n" in line:
        raise bad("start line")
    if line[:4].upper() == "SIP/":
        version, _, rest = line.partition(" ")
        status, _, reason = rest.partition(" ")
        if len(status) != 3 or not status.isascii() or not status.isdigit() or not "1" <= status[0] <= "6":
            raise bad("status line")
        _check_version(version)
        response = Response(int(status), reason)
        response.version = version
        return response
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if not is_token(method) or not uri or not version.upper().startswith("SIP/"):
        raise bad("request line")
    _check_version(version)
    request = Request(method, uri)
    request.version = version
    return request


def _check_version(version: str) -> None:
    if version.upper() != VERSION:
        raise SipError(505, "Version Not Supported")


def _bounded_body(message: Message, body: bytes) -> bytes:
    value = message.headers.get("Content-Length")
    if value is None:
        return body
    length = parse_number(value, "Content-Length", 2**31)
    if message.headers.count("Content-Length") > 1 or length > len(body):
        raise bad("Content-Length")
    return body[:length]


_COPIED = {fold_name(name): name for name in ("Via", "From", "To", "Call-ID", "CSeq")}


def reply(request: Request, status: int, reason: str | None = None, *, tag: str | None = None) -> Response:
    """Return a response to ``request`` with what RFC 3261 8.2.6.2 copies; ``tag`` is added to a To without one."""
    headers = Headers(request.headers.chosen(_COPIED))
    response = Response(status, reason if reason is not None else REASONS.get(status, "Unknown"), headers)
    to = request.headers.get("To")
    if tag is not None and to is not None and request.to.tag is None:
        response.headers.set("To", f"{to};tag={tag}")
    response.headers.set("Content-Length", "0")
    return response
