"""Every way to look at a message: what is read of it only when somebody asks."""

from collections.abc import Callable, Iterator
from typing import Any

from sipgate.protocol import passport
from sipgate.protocol.address import Address
from sipgate.protocol.digest import Credentials
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Message, Request, parse_message, reply
from sipgate.protocol.multipart import parse as parse_multipart
from sipgate.protocol.outbound import wants_outbound
from sipgate.protocol.privacy import Privacy
from sipgate.protocol.validate import validate_request


def views(message: Message) -> Iterator[Callable[[], Any]]:
    """Return each way to look at a message."""
    if isinstance(message, Request):
        yield lambda: validate_request(message)
        yield lambda: passport.verify(message)
        yield lambda: reply(message, 200, tag="ours")
        yield lambda: Privacy.of(message)
        yield lambda: wants_outbound(message)
    for name in ("vias", "top_via", "from_", "to", "call_id", "cseq", "contacts", "routes", "record_routes"):
        yield lambda name=name: getattr(message, name)  # type: ignore[misc]
    for name in ("max_forwards", "expires", "content_type"):
        yield lambda name=name: getattr(message, name)  # type: ignore[misc]
    for header in ("Authorization", "Proxy-Authorization"):
        yield lambda header=header: [Credentials.parse(value) for value in message.headers.get_all(header)]  # type: ignore[misc]
    yield lambda: [Address.parse(value) for value in message.headers.get_all("Refer-To")]
    yield lambda: parse_multipart(message.headers.get("Content-Type") or "", message.body)


def look(data: bytes) -> list[Any]:
    """Return all that can be read of a datagram; only `SipError` may come out of reading."""
    try:
        message = parse_message(data)
    except SipError:
        return []
    found: list[Any] = []
    for view in views(message):
        try:
            found.append(view())
        except SipError:
            continue
    return found
