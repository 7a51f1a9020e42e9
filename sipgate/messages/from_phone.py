"""MESSAGE from our phones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sipgate.authentication import Authenticator
from sipgate.calls.anonymity import refuse_privacy
from sipgate.calls.node import Node
from sipgate.calls.refusal import refuse
from sipgate.calls.switchboard import hops_left
from sipgate.ports import LocalUser, Mailbox, Peer, Taken, Text
from sipgate.protocol.message import reply
from sipgate.protocol.uri import Uri
from sipgate.server_transaction import ServerTransaction
from sipgate.target import mesh_uri
from sipgate.transport import Address

from .content import ACCEPTED, NotText, text_of
from .room import Room
from .to_phones import Delivery, to_phones

STATUS: dict[Taken, tuple[int, str]] = {"delivered": (200, "Delivered"), "kept": (202, "Kept for later")}


@dataclass(frozen=True)
class MessageFromPhone:
    """Takes text from phones. `own_hosts` gives the names that phones have for this node."""

    node: Node
    mailbox: Mailbox
    authenticator: Authenticator
    room: Room
    own_hosts: Callable[[], set[str]]

    async def message(self, transaction: ServerTransaction) -> None:
        """Answer MESSAGE with what really became of it; raise `Challenged`, `Refusal` or `SipError`."""
        request, flow = transaction.request, transaction.flow
        user = self.authenticator.user_of(request, 407, flow)
        hops_left(request)
        refuse_privacy(request, "A message")
        target = mesh_uri(Uri.parse(request.uri), self.node.domain, {*self.own_hosts(), flow.local[0]})
        try:
            text = text_of(request)
        except NotText as refusal:
            response = refuse(request, refusal, self.node.token())
            response.headers.set("Accept", ", ".join(ACCEPTED))
            await transaction.respond(response)
            return
        with self.room.taken(user.uri):
            taken = await self._send(user, target, text, (flow.remote[0], flow.remote[1]))
        await transaction.respond(reply(request, *STATUS[taken], tag=self.node.token()))

    async def _send(self, user: LocalUser, target: str, text: Text, phone: Address) -> Taken:
        if target == f"sip:{user.username}@{self.node.domain}":
            target = user.uri
        callee = self.node.accounts.by_uri(target)
        if self.node.service_for(target, callee) is not None:
            return await self._echo(user, target, text)
        if callee is None:
            return await self.mailbox.send(user, target, text)
        sender = self.node.as_peer(user)
        await to_phones(self.node, callee, Delivery(self.node.token(), sender, text), phone)
        return "delivered"

    async def _echo(self, user: LocalUser, service: str, text: Text) -> Taken:
        """Services say back what they are told."""
        name = service.partition(":")[2].partition("@")[0]
        echo = Peer(service, name, "self", "", self.node.identity.node_public_key, known=True)
        await to_phones(self.node, user, Delivery(self.node.token(), echo, text))
        return "delivered"
