"""MESSAGE from other nodes."""

from __future__ import annotations

from dataclasses import dataclass

from sipgate.calls.display import plain_name
from sipgate.calls.node import Node
from sipgate.calls.switchboard import hops_left
from sipgate.identity import ReplayMemory, sender_of
from sipgate.ports import IncomingCaller, Mailbox, Refusal
from sipgate.protocol.message import Request, reply
from sipgate.protocol.uri import Uri
from sipgate.server_transaction import ServerTransaction
from sipgate.target import mesh_uri

from .content import Sealed, sealed_of
from .from_phone import STATUS
from .room import Room


@dataclass(frozen=True)
class MessageFromNode:
    """Takes letters from other nodes."""

    node: Node
    mailbox: Mailbox
    replays: ReplayMemory
    room: Room

    async def message(self, transaction: ServerTransaction) -> None:
        """Answer MESSAGE: 200 when a phone has the text, 202 when it waits here; raise `Refusal` or `SipError`."""
        request = transaction.request
        key = sender_of(request)
        self.replays.refuse_replay(request)
        hops_left(request)
        sealed = sealed_of(request)
        caller = self._caller(request, key, sealed, transaction.flow.remote[0])
        user = self.node.accounts.by_uri(caller.called_uri)
        if user is None:
            raise Refusal(404, "Nobody here has this name")
        with self.room.taken(key):
            sender = await self.node.admission.admit(caller)
            taken = await self.mailbox.receive(user, sender, sealed.openpgp_key, sealed.letter)
        await transaction.respond(reply(request, *STATUS[taken], tag=self.node.token()))

    def _caller(self, request: Request, key: bytes, sealed: Sealed, remote_host: str) -> IncomingCaller:
        called_uri = mesh_uri(Uri.parse(request.uri), self.node.domain, ())
        if request.to.uri.canonical() != called_uri:
            raise Refusal(400, "The message names two people")
        return IncomingCaller(
            uri=mesh_uri(request.from_.uri, self.node.domain, ()),
            called_uri=called_uri,
            node_public_key=key,
            openpgp_key=sealed.openpgp_key,
            delegation=sealed.delegation,
            display_name=plain_name(request.from_.display_name),
            remote_host=remote_host,
            purpose="text",
        )
