"""What every request must have before anything else looks at it (RFC 3261 8.1.1 and 8.2)."""

from .errors import SipError
from .message import Request
from .uri import Uri

ONCE = ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Expires")


def validate_request(request: Request) -> None:
    """Check a request.

    Raises:
        SipError: with the status to answer (400, 414, 416).
    """
    if any(char <= " " or char in "<>" for char in request.uri):
        raise SipError(400, "Bad Request-URI")
    uri = Uri.parse(request.uri)
    if uri.headers is not None:  # RFC 3261 19.1.1: a Request-URI has none
        raise SipError(400, "Bad Request-URI")
    for name in ONCE:
        if request.headers.count(name) > 1:
            raise SipError(400, f"More than one {name}")
    for needed in (request.top_via, request.from_, request.to, request.call_id):
        del needed
    if request.cseq.method != request.method:
        raise SipError(400, "CSeq and request disagree on the method")
    if request.max_forwards is None and "Max-Forwards" in request.headers:
        raise SipError(400, "Bad Max-Forwards")
    if request.body and "Content-Type" in request.headers:
        _ = request.content_type
    _ = request.contacts
    if not uri.is_sip and uri.scheme != "tel":
        raise SipError(416, "Unsupported URI Scheme")
