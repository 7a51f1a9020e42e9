"""What stands in the bodies of MESSAGE: text on the phones' side, a sealed letter between nodes."""

from __future__ import annotations

from dataclasses import dataclass

from sipgate.calls.content import DELEGATION, OPENPGP
from sipgate.ports import LocalUser, Refusal, Text
from sipgate.protocol import multipart
from sipgate.protocol.media_type import MediaType
from sipgate.protocol.message import Request

LETTER = "application/vnd.freecall.letter"
MAX_TEXT = 16 * 1024
MAX_CONTENT_TYPE = 256
COMPOSING = "application/im-iscomposing+xml"
DELIVERY_NOTICE = "message/imdn+xml"
ACCEPTED = ("text/plain", "text/html", "message/cpim", DELIVERY_NOTICE, COMPOSING)

_PARTS = {LETTER: "letter", OPENPGP: "openpgp_key", DELEGATION: "delegation"}


class NotText(Refusal):
    """The phone sends something that is no text (RFC 3261 21.4.13)."""

    def __init__(self) -> None:
        super().__init__(415, "Messages here are text, not pictures or files")


def text_of(request: Request) -> Text:
    """Return what a phone wrote; raise `Refusal` 400, 413 or 415, or `SipError` when it is malformed."""
    value = request.headers.get("Content-Type") or "text/plain"
    if (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise NotText
    if not is_text(value) or len(value) > MAX_CONTENT_TYPE or not value.isprintable():
        raise NotText
    if len(request.body) > MAX_TEXT:
        raise Refusal(413, f"This message is too long: {MAX_TEXT // 1024} KiB at most")
    if not request.body:
        raise Refusal(400, "This message is empty")
    return Text(value, request.body)


def is_text(content_type: str) -> bool:
    """Tell whether a media type is one that goes from phone to phone; raise `SipError` when it is malformed."""
    return MediaType.parse(content_type).essence in ACCEPTED


@dataclass(frozen=True)
class Sealed:
    """What a MESSAGE between nodes carries: a letter, and who brings it."""

    letter: bytes
    openpgp_key: bytes
    delegation: bytes


def seal_in(letter: bytes, user: LocalUser) -> tuple[str, bytes]:
    """Return the body of a MESSAGE to another node."""
    return multipart.build([(LETTER, letter), (OPENPGP, user.openpgp_key), (DELEGATION, user.delegation)])


def sealed_of(request: Request) -> Sealed:
    """Read a MESSAGE from another node; parts of other types are ignored.

    Raise `Refusal` 400 and 415, or `SipError`, when it is not one that `seal_in` makes.
    """
    found: dict[str, bytes] = {}
    for part in multipart.parse(request.headers.get("Content-Type") or "text/plain", request.body):
        name = _PARTS.get(part.content_type.essence)
        if name in found:
            raise Refusal(400, "A part of the message stands there twice")
        if name is not None:
            found[name] = part.body
    if set(found) != set(_PARTS.values()):
        raise Refusal(415, "Messages between nodes are sealed letters")
    return Sealed(**found)
