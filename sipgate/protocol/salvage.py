"""What can be answered of a request that cannot be parsed: enough headers to say what is wrong with it."""

from __future__ import annotations

from .errors import SipError
from .headers import fold_name
from .message import Request
from .scanner import is_token

_NEEDED = {"via": "Via", "from": "From", "to": "To", "call-id": "Call-ID", "cseq": "CSeq"}
_MAX_LINES = 256


def salvage(data: bytes) -> Request | None:
    """Return a request with the headers that a response copies, or None when it cannot be answered.

    Responses and ACK are never answered.
    """
    head = data.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    lines = head.split("\r\n")[:_MAX_LINES]
    method, _, rest = lines[0].partition(" ")
    if method == "ACK" or not is_token(method) or " SIP/" not in rest.upper():
        return None
    request = Request(method, rest.rpartition(" ")[0])
    for name, value in _unfold(lines[1:]):
        long_name = _NEEDED.get(fold_name(name))
        if long_name is not None and value and not any(char in value for char in "\r\n\0"):
            request.headers.add(long_name, value)
    return request if _is_answerable(request) else None


def _unfold(lines: list[str]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for line in lines:
        if line[:1] in (" ", "\t") and found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {line.strip()}")
        else:
            name, _, value = line.partition(":")
            found.append((name.strip(), value.strip()))
    return found


def _is_answerable(request: Request) -> bool:
    single = ("From", "To", "Call-ID", "CSeq")
    if any(request.headers.count(name) != 1 for name in single):
        return False
    try:
        _ = request.vias, request.top_via, request.from_, request.to, request.call_id, request.cseq
    except SipError:
        return False
    return True
