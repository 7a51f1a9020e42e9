"""SUBSCRIBE and PUBLISH from our phones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sipgate.addresses import our_address_on
from sipgate.authentication import Authenticator
from sipgate.calls.anonymity import refuse_privacy
from sipgate.calls.line import PhoneLine
from sipgate.calls.node import Node
from sipgate.ports import LocalUser, Refusal
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.errors import SipError
from sipgate.protocol.event_state import Publications
from sipgate.protocol.message import Request, reply
from sipgate.protocol.pidf import Presence
from sipgate.protocol.uri import Uri
from sipgate.server_transaction import ServerTransaction
from sipgate.target import mesh_uri
from sipgate.ways import ways_to

from .mailbox import PACKAGE as MESSAGE_SUMMARY
from .notify import Notifier, asked_seconds, event_of
from .own_presence import OwnPresences
from .resource import Resource
from .subscribe import PRESENCE, presence_of
from .watch import Watches

PACKAGES = (PRESENCE, MESSAGE_SUMMARY)


@dataclass(frozen=True)
class FromPhone:
    """Answers phones. `begin` runs a notifier of a user; `own_hosts` are the names that phones have for this node."""

    node: Node
    authenticator: Authenticator
    own_hosts: Callable[[], set[str]]
    presences: OwnPresences
    watches: Watches
    mailbox_of: Callable[[LocalUser], Resource]
    published: Publications[Presence]
    begin: Callable[[LocalUser, Notifier], None]
    check_room: Callable[[LocalUser], None]

    async def subscribe(self, transaction: ServerTransaction) -> None:
        """Begin a subscription; raise `Challenged`, `Refusal` or `SipError` when there is none to begin."""
        request, flow = transaction.request, transaction.flow
        package = _package(request)
        user = self.authenticator.user_of(request, 407, flow)
        self.check_room(user)
        contacts = request.contacts
        if isinstance(contacts, str) or len(contacts) != 1:
            raise SipError(400, "Bad Contact")
        dialog = Dialog.as_uas(request, self.node.token())
        target = self._target(request, user, flow.local[0])
        resource = self._resource(request, package, user, target)
        contact = self.node.phone_contact(user.uri, our_address_on(flow), flow.transport)
        line = PhoneLine(self.node.sender, contact, ways_to(contacts[0].uri, flow))
        longest = self.node.limits.max_expires
        notifier = Notifier(self.node, request, dialog, line, resource, longest)
        await transaction.respond(notifier.accepted(request))
        self.begin(user, notifier)

    async def publish(self, transaction: ServerTransaction) -> None:
        """Take what a phone says of its user (RFC 3903 6)."""
        request = transaction.request
        if event_of(request).package != PRESENCE:
            raise Refusal(489, "This node does not know this kind of event")
        user = self.authenticator.user_of(request, 407, transaction.flow)
        if self._target(request, user, transaction.flow.local[0]) != user.uri:
            raise Refusal(403, "A phone can only publish for its own user")
        lasts = asked_seconds(request, self.node.limits.max_expires)
        tag = self.node.token()
        self.published.publish(
            user.username,
            match=request.headers.get("SIP-If-Match"),
            state=presence_of(request),
            lasts=lasts,
            tag=tag,
            now=self.node.clock(),
        )
        response = reply(request, 200, tag=self.node.token())
        response.headers.add("SIP-ETag", tag)
        response.headers.add("Expires", str(lasts))
        await transaction.respond(response)
        self.presences.of(user).look()

    def _target(self, request: Request, user: LocalUser, local_host: str) -> str:
        """Return whom the phone means; its own user has the name, too, that it registers under."""
        target = mesh_uri(Uri.parse(request.uri), self.node.domain, {*self.own_hosts(), local_host})
        own = f"sip:{user.username}@{self.node.domain}"
        return user.uri if target == own or self.node.accounts.by_uri(target) == user else target

    def _resource(self, request: Request, package: str, user: LocalUser, target: str) -> Resource:
        if package == MESSAGE_SUMMARY:
            if target != user.uri:
                raise Refusal(403, "A phone can only ask for messages to its own user")
            return self.mailbox_of(user)
        whom = user if target == user.uri else self.node.accounts.by_uri(target)
        if whom is not None:
            return self.presences.of(whom)
        refuse_privacy(request, "A look at whether somebody is there")
        return self.watches.of(user, target)


def _package(request: Request) -> str:
    package = event_of(request).package
    if package not in PACKAGES:
        raise Refusal(489, "This node does not know this kind of event")
    return package
