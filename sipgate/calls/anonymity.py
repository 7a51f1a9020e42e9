"""Whether one call of our user is anonymous: what is dialled decides, then the phone's request, then the setting."""

from __future__ import annotations

from dataclasses import replace

from sipgate.ports import Refusal
from sipgate.protocol.message import Request
from sipgate.protocol.privacy import Privacy, is_anonymous
from sipgate.protocol.uri import Uri

CODES = {"*67": True, "*82": False}
"""Star codes before the name, as in North America: this one call without, or with, one's own."""

TOO_MUCH = "This node keeps your name back, but not its own address: the call was not made"


def dialled_with(uri: Uri) -> tuple[Uri, bool | None]:
    """Return the address without its star code, and what that asks for; None without one.

    Raises:
        Refusal: 404 for a code without a name behind it.
    """
    user = (uri.user or "").replace("%2A", "*").replace("%2a", "*")
    code, name = user[:3], user[3:]
    if not uri.is_sip or code not in CODES:
        return uri, None
    if not name:
        raise Refusal(404, f"Dial {code} and the name in one, such as {code}bob")
    return replace(uri, user=name), CODES[code]


def wish_of(request: Request) -> bool | None:
    """Return whether a phone's INVITE asks for an anonymous call; None when it says nothing.

    Raises:
        Refusal: 500 when it insists on more than a node can do.
        SipError: the Privacy header is malformed.
    """
    privacy = Privacy.of(request)
    if privacy.asks_too_much:
        raise Refusal(500, TOO_MUCH)
    if privacy.hides_name or is_anonymous(request.from_.uri):
        return True
    return False if privacy.is_none else None


def refuse_privacy(request: Request, what: str) -> None:
    """Make sure that a phone wants no privacy for what has none: such as "A message".

    Raises:
        Refusal: it does: 500 when it insists, else 403.
        SipError: the Privacy header is malformed.
    """
    privacy = Privacy.of(request)
    if privacy.hides_name or is_anonymous(request.from_.uri):
        raise Refusal(500 if privacy.is_critical else 403, f"{what} cannot be anonymous, calls can")


def decide(*wishes: bool | None) -> bool:
    """Return the first wish that is one."""
    return next((wish for wish in wishes if wish is not None), False)
