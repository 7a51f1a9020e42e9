"""Message waiting (RFC 3842): the lamp of a phone is lit while its user has missed calls."""

from __future__ import annotations

from collections.abc import Callable

from sipgate.calls.display import name_addr
from sipgate.calls.node import Node
from sipgate.calls.sending import Sending
from sipgate.location import Binding
from sipgate.ports import LocalUser, Peer
from sipgate.protocol import message_summary
from sipgate.protocol.message import Request
from sipgate.protocol.message_summary import Waiting

from .missed_calls import MissedCall, MissedCalls
from .resource import Listeners, View

PACKAGE = "message-summary"


class Mailbox:
    """What waits for one of our users."""

    def __init__(self, user: LocalUser, missed: MissedCalls) -> None:
        self.user = user
        self._missed = missed
        self._listeners = Listeners()

    def __len__(self) -> int:
        return len(self._missed.of(self.user.username))

    def view(self) -> View:
        """Return the summary."""
        missed = self._missed.of(self.user.username)
        body = message_summary.compose(self.user.uri, len(missed), map(_waiting, reversed(missed)))
        return View(is_granted=True, content_type=message_summary.CONTENT_TYPE, body=body)

    def join(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each change; return what ends that."""
        return self._listeners.join(listener)

    def tell(self) -> None:
        """Something has come, or was seen."""
        self._listeners.tell()


def _waiting(missed: MissedCall) -> Waiting:
    peer = Peer(
        missed.peer, missed.display, missed.trust, "", b"", known=missed.trust in ("pinned", "verified")
    )
    return Waiting(name_addr(peer), "missed call", missed.at)


async def notify_unasked(node: Node, mailbox: Mailbox, phone: Binding) -> None:
    """Tell a phone that has not subscribed. Most phones take that; what this one answers does not matter."""
    user, view = mailbox.user, mailbox.view()
    request = Request("NOTIFY", phone.contact)
    transport = phone.route.ways[0].transport
    for name, value in (
        ("Max-Forwards", "70"),
        ("From", f"<{user.uri}>;tag={node.token()}"),
        ("To", f"<{user.uri}>"),
        ("Call-ID", node.token()),
        ("CSeq", "1 NOTIFY"),
        ("Contact", node.phone_contact(user.uri, phone.route.local_host, transport)),
        ("Event", PACKAGE),
        ("Subscription-State", "active"),
    ):
        request.headers.add(name, value)
    request.set_body(view.content_type, view.body)
    await Sending(node.sender, request, phone.route.ways).final()
