"""INVITEs from other nodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from sipgate.identity import ReplayMemory, sender_of
from sipgate.ports import IncomingCaller, Refusal
from sipgate.protocol.message import Request
from sipgate.protocol.privacy import ANONYMOUS, is_anonymous
from sipgate.protocol.uri import Uri
from sipgate.server_transaction import ServerTransaction
from sipgate.target import mesh_uri
from sipgate.transport import Flow

from .call import Call
from .caller_leg import SipCallerLeg
from .content import Content, content_of
from .display import plain_name
from .exchange import replaces_of
from .incoming import Incoming, Replaced, called_party
from .mesh_leg import line_to_caller
from .node import Node
from .switchboard import Switchboard, hops_left

NO_OFFER = "Calls between nodes begin with an offer"


@dataclass(frozen=True)
class FromNode:
    """Answers other nodes."""

    node: Node
    switchboard: Switchboard
    replays: ReplayMemory

    async def invite(self, transaction: ServerTransaction) -> Call:
        """Begin a call; raise `Refusal` or `SipError` when there is none to begin."""
        request, flow = transaction.request, transaction.flow
        key = sender_of(request)
        self.replays.refuse_replay(request)
        max_forwards = hops_left(request)
        caller, content = self._caller(request, flow, key)
        called = called_party(self.node, caller.called_uri)
        local = called.user.uri if called.user is not None else called.uri
        standing = await self._replaced(request, local)
        if standing is None:
            await self.node.doorkeeper.knock(caller)
        self.switchboard.check_room(local, key)
        line = line_to_caller(self.node, request, flow, key, local)
        leg = SipCallerLeg(transaction, content.sdp, line, self.node.dialogs, self.node.token())
        incoming = Incoming(
            self.node,
            called,
            caller,
            line,
            request.call_id,
            content.sdp,
            max_forwards,
            standing,
            partial(self.switchboard.calls_beside, local),
        )
        peer = ANONYMOUS if is_anonymous(Uri.parse(caller.uri)) else caller.uri
        return self.switchboard.connect("in", leg, peer, incoming, local, key)

    async def _replaced(self, request: Request, local: str) -> Replaced | None:
        """Return the call of this very user that the new one takes the place of, if it does; raise `Refusal`."""
        replaces = replaces_of(request)
        if replaces is None:
            return None
        exchange = self.switchboard.exchange
        standing = await exchange.named(replaces)
        if self.switchboard.users.get(standing.call.id) != local:
            raise Refusal(481, "The call that was to be taken over is over")
        return Replaced(standing.beyond, partial(exchange.take_over, standing))

    def _caller(self, request: Request, flow: Flow, key: bytes) -> tuple[IncomingCaller, Content]:
        content = content_of(request)
        if not content.sdp:
            raise Refusal(488, NO_OFFER)
        called_uri = mesh_uri(Uri.parse(request.uri), self.node.domain, ())
        if request.to.uri.canonical() != called_uri:
            raise Refusal(400, "The call names two callees")
        caller = IncomingCaller(
            uri=mesh_uri(request.from_.uri, self.node.domain, ()),
            called_uri=called_uri,
            node_public_key=key,
            openpgp_key=content.openpgp_key,
            delegation=content.delegation,
            display_name=plain_name(request.from_.display_name),
            remote_host=flow.remote[0],
            proof=request.headers.get("Authorization") or "",
        )
        return caller, content
