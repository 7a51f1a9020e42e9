"""The two requests that are made from an INVITE by its own transaction: CANCEL and the ACK of a failure."""

from __future__ import annotations

from collections.abc import Iterable

from .message import Request, Response

_COPIED = ("From", "Call-ID")


def cancel_of(invite: Request, headers: Iterable[tuple[str, str]] = ()) -> Request:
    """Return the CANCEL of an INVITE (RFC 3261 9.1), with further headers."""
    return _hop_by_hop(invite, "CANCEL", _first(invite, "To"), headers)


def ack_of_failure(invite: Request, response: Response) -> Request:
    """Return the ACK of a final response of 300 to 699 (17.1.1.3)."""
    return _hop_by_hop(invite, "ACK", _first(response, "To"), ())


def _first(message: Request | Response, name: str) -> str:
    return message.headers.get(name) or ""


def _hop_by_hop(invite: Request, method: str, to: str, headers: Iterable[tuple[str, str]]) -> Request:
    request = Request(method, invite.uri)
    request.headers.add("Via", str(invite.top_via))
    request.headers.add("Max-Forwards", "70")
    for value in invite.headers.get_all("Route"):
        request.headers.add("Route", value)
    request.headers.add("From", _first(invite, "From"))
    request.headers.add("To", to)
    request.headers.add("Call-ID", invite.call_id)
    request.headers.add("CSeq", f"{invite.cseq.number} {method}")
    for name, value in headers:
        request.headers.add(name, value)
    request.headers.set("Content-Length", "0")
    return request
