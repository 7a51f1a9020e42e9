"""What every request must have before anything else looks at it (RFC 3261 8.1.1 and 8.2)."""

import re

from .errors import SipError
from .headers import fold_name
from .message import Request
from .uri import Uri

ONCE = {
    fold_name(name): name
    for name in ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Expires")
}
_NO_URI = re.compile(r"[\x00-\x20<>]")


def validate_request(request: Request) -> None:
    """Check a request.

    Raises:
        SipError: with the status to answer (400, 414, 416).
    """
    if _NO_URI.search(request.uri):
        raise SipError(400, "Bad Request-URI")
    uri = Uri.parse(request.uri)
    if uri.headers is not None:  # RFC 3261 19.1.1: a Request-URI has none
        raise SipError(400, "Bad Request-URI")
    repeated = request.headers.repeated(ONCE)
    if repeated is not None:
        raise SipError(400, f"More than one {ONCE[repeated]}")
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
