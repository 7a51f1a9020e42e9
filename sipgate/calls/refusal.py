"""Refusals as responses, and responses as refusals."""

from __future__ import annotations

from collections.abc import Iterable

from sipgate.call_rules import Forwarded
from sipgate.ports import Refusal
from sipgate.protocol.diversion import Diversion, reason_of
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response, reply
from sipgate.protocol.outbound import OPTION as OUTBOUND
from sipgate.protocol.reasons import REASONS
from sipgate.protocol.session_timer import MIN_SE

from .cause import MAX_PHRASE, MAX_TEXT, PHRASES, Cause, escape, parse_reason, phrase, plain

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, SUBSCRIBE, NOTIFY, MESSAGE, REFER, PRACK"
SUPPORTED = "replaces, norefersub"
SUPPORTED_BY_PHONES = f"{SUPPORTED}, 100rel, timer"  # what we do on the phone side only
KNOWN_METHODS = frozenset(("REGISTER", "PUBLISH", *ALLOW.split(", ")))
ALLOW_EVENTS = "presence, message-summary"
RETRY_AFTER = "2"
MAX_TAGS = 8

_ACCEPTED = {"PUBLISH": "application/pidf+xml", "NOTIFY": "application/pidf+xml"}
_NOT_PASSED_ON = (401, 407, 422)


class BadExtension(Refusal):
    """The request requires an extension that we do not have (RFC 3261 8.2.2.3)."""

    def __init__(self, tags: list[str]) -> None:
        super().__init__(420, f"This node cannot do what the call requires: {', '.join(tags)}")
        self.tags = tags


def supported(*, by_phones: bool) -> str:
    """Return our option tags towards phones, or towards nodes."""
    return SUPPORTED_BY_PHONES if by_phones else SUPPORTED


def check_extensions(request: Request, *, from_phone: bool, on_connection: bool = False) -> None:
    """Raise `BadExtension` when the request requires what we do not have: flows are for what comes on a connection."""
    done = supported(by_phones=from_phone).split(", ")
    if from_phone and on_connection and request.method == "REGISTER":
        done.append(OUTBOUND)
    required = [tag for tag in request.headers.get_all("Require") if tag.lower() not in done]
    tags = [*required, *request.headers.get_all("Proxy-Require")]
    if tags:
        raise BadExtension(tags[:MAX_TAGS])


def not_done(method: str) -> Refusal:
    """Return the refusal of a method."""
    if method in KNOWN_METHODS:
        return Refusal(405, f"{method} is not done here")
    return Refusal(501, "This kind of request is not known here")


def options(request: Request, tag: str) -> Response:
    """Return the answer to OPTIONS (RFC 3261 11.2)."""
    response = reply(request, 200, tag=tag)
    response.headers.add("Allow", ALLOW)
    response.headers.add("Supported", SUPPORTED)
    response.headers.add("Accept", "application/sdp")
    return response


def refuse(request: Request, refusal: Refusal, tag: str | None = None) -> Response:
    """Return the response that says so, to machines in its status, to people in its words."""
    response = reply(request, refusal.status, phrase(refusal), tag=tag)
    headers = response.headers
    headers.add("Reason", str(Cause(refusal.status, refusal.reason)))
    if refusal.warning is not None:
        headers.add("Warning", f'399 mesh "{escape(plain(refusal.warning, MAX_TEXT))}"')
    for uri in refusal.alternatives:
        headers.add("Contact", f"<{uri}>")
    if isinstance(refusal, Forwarded):
        headers.add("Diversion", str(Diversion(request.to.uri.canonical(), refusal.why)))
    if isinstance(refusal, BadExtension):
        headers.add("Unsupported", ", ".join(refusal.tags))
    if refusal.challenge is not None:
        headers.add("WWW-Authenticate", refusal.challenge)
    if refusal.retry_after is not None:
        headers.add("Retry-After", str(refusal.retry_after))
    for name, value in _advice(refusal.status, request.method):
        headers.add(name, value)
    return response


def _advice(status: int, method: str) -> Iterable[tuple[str, str]]:
    """Return the headers that tell how to do better (RFC 3261 21.4)."""
    if status in (405, 501):
        yield "Allow", ALLOW
    elif status == 489:
        yield "Allow-Events", ALLOW_EVENTS
    elif status == 415:
        yield "Accept", _ACCEPTED.get(method, "application/sdp")
        yield "Accept-Encoding", "identity"
    elif status == 422:
        yield "Min-SE", str(MIN_SE)
    elif status in (500, 503):
        yield "Retry-After", RETRY_AFTER


def refusal_of(response: Response, *, is_made_up: bool, who: str) -> Refusal:
    """Return what a final failure means for the caller. `who` has refused: "phone" or "node".

    What we do not follow (redirection to several) or cannot answer (a challenge) is told as 480.
    """
    if is_made_up and response.status != 487:
        return Refusal(480, f"The {who} that was called cannot be reached")
    if response.status == 302 and not is_made_up and (forwarded := _forwarded(response)) is not None:
        return forwarded
    if response.status < 400 or response.status in _NOT_PASSED_ON:
        return Refusal(480, f"The {who} that was called wants something that is not done here")
    return Refusal(response.status, _words(response))


def _forwarded(response: Response) -> Forwarded | None:
    try:
        contacts = response.contacts
    except SipError:
        return None
    if isinstance(contacts, str) or len(contacts) != 1:
        return None
    return Forwarded(str(contacts[0].uri), reason_of(response.headers.get_all("Diversion")))


def _words(response: Response) -> str:
    cause = parse_reason(response.headers.get_all("Reason"))
    if cause is not None and cause.text:
        return cause.text
    if response.reason in ("", REASONS.get(response.status)):
        return PHRASES.get(response.status) or REASONS.get(response.status, "Refused")
    return plain(response.reason, MAX_PHRASE)
