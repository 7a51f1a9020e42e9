"""Lines and B legs to other nodes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from sipgate.addresses import our_address_on, our_address_towards
from sipgate.ports import LocalUser, Peer, Refusal, Work
from sipgate.protocol.message import Request, Response
from sipgate.protocol.scanner import quote
from sipgate.transport import Flow

from .callee_leg import Invitation, SipCalleeLeg
from .content import first_offer
from .dialogs import Dialogs
from .display import plain_name
from .line import Line, MeshLine, addresses_in, hops_to
from .node import Node


class MeshCalleeLeg(SipCalleeLeg):
    """A B leg to another node: the first INVITE carries who calls, and the next one the work that was asked for."""

    def __init__(
        self,
        line: Line,
        dialogs: Dialogs,
        tag: str,
        invitation: Invitation,
        user: LocalUser,
        work: Work,
        alone: str = "",
    ) -> None:
        super().__init__(line, dialogs, tag, invitation)
        self._alone = alone
        self._user = user
        self._work = work

    async def _may_ask_again(self, response: Response) -> bool:
        challenge = response.headers.get("WWW-Authenticate")
        if response.status != 401 or challenge is None:
            return False
        called = self._invitation.request_uri
        proof = await self._work.prove(challenge, called, lambda: not self._cancelled)
        if proof is None or self._cancelled:
            return False
        headers = (*self._invitation.headers, ("Authorization", proof))
        self._invitation = replace(self._invitation, headers=headers)
        return True

    def _body(self, offer: bytes) -> tuple[str, bytes]:
        return first_offer(offer, self._user)

    async def aclose(self) -> None:
        """Forget the dialog, and the connection of an anonymous call."""
        await super().aclose()
        if self._alone:
            self.line.sender.leave(self._alone)


def leg_to_node(
    node: Node,
    peer: Peer,
    target: str,
    user: LocalUser,
    call_id: str,
    max_forwards: int,
    headers: tuple[tuple[str, str], ...] = (),
) -> MeshCalleeLeg:
    """Return the leg to the node of `peer`; raise `Refusal` 480 when nobody knows where it is."""
    hops = hops_to(peer.node_public_key, peer.endpoints, node.alone)
    if not hops:
        raise Refusal(480, f"{plain_name(peer.display_name) or 'This person'} is known, but away now")
    contact = node.mesh_contact(user.uri, our_address_towards(hops[0].host))
    line = MeshLine(node.sender, contact, node.identity, peer.node_public_key, hops)
    line.contact_at, line.whereabouts = partial(node.mesh_contact, user.uri), node.whereabouts
    name = plain_name(user.display_name)
    from_ = f"{quote(name)} <{user.uri}>" if name else f"<{user.uri}>"
    invitation = Invitation(target, from_, f"<{target}>", call_id, max_forwards, headers)
    return MeshCalleeLeg(line, node.dialogs, node.token(), invitation, user, node.work, node.alone)


def line_to_caller(node: Node, request: Request, flow: Flow, key: bytes, called: str) -> MeshLine:
    """Return the line back to a node that calls: its connection, and its Contact for when that breaks."""
    contact = node.mesh_contact(called, our_address_on(flow))
    hops = hops_to(key, addresses_in(request, flow))
    line = MeshLine(node.sender, contact, node.identity, key, hops, flow)
    line.contact_at, line.whereabouts = partial(node.mesh_contact, called), node.whereabouts
    return line
