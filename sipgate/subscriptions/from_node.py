"""SUBSCRIBE from other nodes: who may see whether one of our users can be called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sipgate.calls.content import content_of
from sipgate.calls.display import plain_name
from sipgate.calls.line import hops_to
from sipgate.calls.mesh_leg import line_to_caller
from sipgate.calls.node import Node
from sipgate.identity import ReplayMemory, sender_of
from sipgate.ports import Audience, IncomingCaller, LocalUser, Peer, Refusal
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.message import Request
from sipgate.protocol.uri import Uri
from sipgate.server_transaction import ServerTransaction
from sipgate.target import mesh_uri

from .notify import Notifier, event_of
from .own_presence import OwnPresences
from .subscribe import PRESENCE


@dataclass
class FromNode:
    """Answers other nodes. `begin` runs a notifier for a peer's node, `heard_of` is told that a peer is there."""

    node: Node
    audience: Audience
    replays: ReplayMemory
    presences: OwnPresences
    begin: Callable[[bytes, Peer, LocalUser, Notifier], None]
    check_room: Callable[[bytes], None]
    heard_of: Callable[[str], None]
    _asking: int = field(default=0, init=False)

    async def subscribe(self, transaction: ServerTransaction) -> None:
        """Begin a subscription; raise `Refusal` or `SipError` when there is none to begin."""
        request, flow = transaction.request, transaction.flow
        key = sender_of(request)
        self.replays.refuse_replay(request)
        if event_of(request).package != PRESENCE:
            raise Refusal(489, "This node does not know this kind of event")
        watcher = self._watcher(request, key)
        user = self.node.accounts.by_uri(watcher.called_uri)
        if user is None:
            raise Refusal(404, "Nobody here has this name")
        self.check_room(key)
        peer = await self._ask(watcher)
        dialog = Dialog.as_uas(request, self.node.token())
        line = line_to_caller(self.node, request, flow, key, user.uri)
        known = hops_to(key, peer.endpoints)
        line.hops = [*line.hops, *(hop for hop in known if hop not in line.hops)]
        resource = self.presences.of(user)
        longest = self.node.limits.mesh_subscription
        notifier = Notifier(self.node, request, dialog, line, resource, longest, lambda: self._ask(watcher))
        await transaction.respond(notifier.accepted(request))
        self.begin(key, peer, user, notifier)
        self.heard_of(peer.uri)

    async def _ask(self, watcher: IncomingCaller) -> Peer:
        """Ask who may see; a signature check each, so only some at once."""
        if self._asking >= self.node.limits.watchers_asking:
            raise Refusal(503, "Too many want to know at once")
        self._asking += 1
        try:
            return await self.audience.may_see(watcher)
        finally:
            self._asking -= 1

    def _watcher(self, request: Request, key: bytes) -> IncomingCaller:
        content = content_of(request)
        watched = mesh_uri(Uri.parse(request.uri), self.node.domain, ())
        if request.to.uri.canonical() != watched:
            raise Refusal(400, "The request names two people")
        return IncomingCaller(
            uri=mesh_uri(request.from_.uri, self.node.domain, ()),
            called_uri=watched,
            node_public_key=key,
            openpgp_key=content.openpgp_key,
            delegation=content.delegation,
            display_name=plain_name(request.from_.display_name),
            purpose="look",
        )
