"""The bodies that we understand, and those that we send."""

from __future__ import annotations

from dataclasses import dataclass

from sipgate.ports import LocalUser, Refusal
from sipgate.protocol import multipart
from sipgate.protocol.message import Message

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
OPENPGP = "application/pgp-keys"
DELEGATION = "application/vnd.freecall.delegation"

_NAMES = {SDP: "sdp", FRAGMENT: "fragment", OPENPGP: "openpgp_key", DELEGATION: "delegation"}


@dataclass(frozen=True)
class Content:
    """What a body holds of the things we know; each is empty when absent."""

    sdp: bytes = b""
    fragment: bytes = b""
    openpgp_key: bytes = b""
    delegation: bytes = b""


def content_of(message: Message) -> Content:
    """Read a body; parts of other types are ignored. Raise `SipError` when it is malformed.

    Raise `Refusal` 415 when it is compressed, and 400 when a part of ours stands twice.
    """
    if not message.body:
        return Content()
    if (message.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise Refusal(415, "Compressed messages are not understood here")
    found: dict[str, bytes] = {}
    for part in multipart.parse(message.headers.get("Content-Type") or SDP, message.body):
        name = _NAMES.get(part.content_type.essence)
        if name in found:
            raise Refusal(400, "A part of the message stands there twice")
        if name is not None:
            found[name] = part.body
    return Content(**found)


def first_offer(sdp: bytes, user: LocalUser) -> tuple[str, bytes]:
    """Return the body of the first INVITE to another node: the offer, and who makes it."""
    return multipart.build([(SDP, sdp), (OPENPGP, user.openpgp_key), (DELEGATION, user.delegation)])
