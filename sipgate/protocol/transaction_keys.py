"""Which message belongs to which transaction (RFC 3261 17.1.3, 17.2.3, 8.2.2.2).

All keys are small tuples of strings of one message, so that nothing a peer sends makes them grow beyond the
size of that message.
"""

from __future__ import annotations

import hashlib

from .message import Request, Response

Key = tuple[str, ...]
MAGIC_COOKIE = "z9hG4bK"


def server_key(request: Request, method: str | None = None) -> Key:
    """Return the key of the server transaction that a request begins or belongs to.

    `method` is given when the request belongs to another one's transaction: INVITE for ACK and CANCEL. A
    request without the magic cookie is matched as RFC 2543 did, by what identifies its dialog and its top
    Via; the To tag is left out, so that the ACK of a failure matches its INVITE.
    """
    via = request.top_via
    method = method or request.method
    branch = via.branch or ""
    if branch.startswith(MAGIC_COOKIE) and len(branch) > len(MAGIC_COOKIE):
        return (branch.lower(), via.host.lower(), str(via.port or ""), method)
    return (
        "2543",
        request.uri,
        request.from_.tag or "",
        request.call_id,
        str(request.cseq.number),
        f"{via.transport} {via.host}:{via.port};{branch}",
        method,
    )


def client_key(message: Request | Response) -> Key:
    """Return the key of the client transaction that a request begins or a response belongs to."""
    return ((message.top_via.branch or "").lower(), message.cseq.method)


def merge_key(request: Request) -> Key | None:
    """Return what two copies of a request that came along different paths share; None inside of dialogs."""
    if request.to.tag is not None:
        return None
    return (request.call_id, request.from_.tag or "", str(request.cseq.number), request.method)


def accepted_key(message: Request | Response) -> Key:
    """Return what a 2xx and its ACK share (13.2.2.4): the dialog and the number in CSeq."""
    return (message.call_id, message.from_.tag or "", message.to.tag or "", str(message.cseq.number))


def stateless_tag(request: Request) -> str:
    """Return a To tag that is the same each time for the same request (8.2.7)."""
    seed = "\n".join((*server_key(request), request.call_id))
    return hashlib.sha256(seed.encode("utf-8", "surrogateescape")).hexdigest()[:16]
