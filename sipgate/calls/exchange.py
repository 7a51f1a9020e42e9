"""Transfers beyond one call: whom they mean, the new call that carries one out, the phone that is taken over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from sipgate.events import CallTransferred, Direction, Part
from sipgate.ports import LocalUser, Peer, Refusal
from sipgate.protocol.message import Request
from sipgate.protocol.origin import unheld
from sipgate.protocol.privacy import ANONYMOUS
from sipgate.protocol.refer import Refer
from sipgate.protocol.replaces import Replaces
from sipgate.protocol.uri import Uri
from sipgate.target import mesh_uri

from .borrowed import innermost
from .by_order import ByOrder
from .call import Call
from .dialog_leg import DialogLeg
from .handset_leg import HandsetLeg
from .happenings import Search
from .inside import must_encrypt
from .leg import CallerLeg, Leg
from .node import Node
from .outgoing import CallingPhone, Outgoing, Referral
from .sent_on import SentOn
from .standing import Standing
from .taken_over import TakenOver


class Calls(Protocol):
    """What this needs of the switchboard."""

    @property
    def calls(self) -> Mapping[str, Call]:
        """The calls of the node."""
        ...

    @property
    def users(self) -> Mapping[str, str]:
        """The URI of the user of ours whom each call belongs to."""
        ...

    def check_room(self, user: str, peer: bytes | None) -> None:
        """Raise `Refusal` when there are too many calls."""
        ...

    def connect(
        self,
        direction: Direction,
        caller: CallerLeg,
        target: str,
        search: Search,
        user: str,
        peer: bytes | None,
    ) -> Call:
        """Begin a call."""
        ...


class CallExchange:
    """Moves phones from call to call. `own_hosts` gives the names that phones have for this node."""

    def __init__(self, node: Node, calls: Calls, own_hosts: Callable[[], set[str]]) -> None:
        self._node = node
        self._calls = calls
        self._own_hosts = own_hosts

    # -- which call, and who is in it

    async def named(self, replaces: Replaces) -> Standing:
        """Return the call that a Replaces header names by our leg of it; raise `Refusal` (RFC 3891 3).

        The ACK of that call may be just behind.
        """
        leg = self._node.dialogs.named(replaces.call_id, replaces.to_tag)
        standing = (
            self._standing(leg) if isinstance(leg, DialogLeg) and leg.is_with(replaces.from_tag) else None
        )
        if standing is None or not await standing.call.confirmed():
            raise Refusal(481, "The call that was to be taken over is over")
        if replaces.early_only:
            raise Refusal(486, "The call that was to be taken over has been answered")
        return standing

    def _standing(self, leg: Leg) -> Standing | None:
        for call in self._calls.calls.values():
            for mine, beyond in call.joined():
                if innermost(mine) is innermost(leg):
                    return Standing(call, mine, beyond)
        return None

    def _of(self, leg: Leg) -> Standing:
        standing = self._standing(leg)
        if standing is None:
            raise Refusal(481, "No such call")
        return standing

    def party(self, standing: Standing) -> str:
        """Return the URI of whom the leg leads to: our user, or the other party."""
        ours = self._calls.users.get(standing.call.id, "")
        leads_out = (standing.leg is standing.call.caller) == (standing.call.direction == "in")
        return standing.call.peer_uri if leads_out else ours

    def _beyond(self, standing: Standing) -> str:
        return self.party(replace(standing, leg=standing.beyond, beyond=standing.leg))

    # -- what our user orders

    async def order(self, call: str, target: Uri | None, consulted: str | None) -> str:
        """Send whom our user talks with in a call to `target`, or into the call `consulted`; return where to.

        Returns when they are there. Raises KeyError when there is no such call, `Refusal` when it could not be done.
        """
        old, other = self._own(call), self._own(consulted) if consulted is not None else None
        if other is not None and other.call is old.call:
            raise Refusal(403, "A call cannot be transferred into itself")
        if target is None:
            target = Uri.parse(self._beyond(other or old))
        ordered = ByOrder(old, other)
        reply = await old.call.refer(ordered, Refer(target))
        if not reply.is_success:
            raise Refusal(reply.status, reply.reason)
        await ordered.carried_out()
        return str(target)

    def _own(self, call_id: str) -> Standing:
        """Return a call as our user's phone stands in it: the one that has called, if both are ours."""
        call = self._calls.calls[call_id]
        pairs = call.joined()
        if not pairs:
            raise Refusal(491, "Only a call that stands can be transferred")
        return Standing(call, *(pairs[0] if call.direction == "out" else pairs[1]))

    # -- what a REFER means

    async def for_mesh(self, transferor: Leg, refer: Refer) -> tuple[Refer, str]:
        """Return the REFER for the other node, and the URI of our user, in whose name it goes."""
        old = self._of(transferor)
        by = ANONYMOUS if old.call.is_anonymous else self.party(old)
        return await self._meant(transferor, refer), by

    async def _meant(self, transferor: Leg, refer: Refer) -> Refer:
        """Return a REFER with a mesh URI, one hop less, and the dialog as the target's node knows it."""
        if refer.max_forwards <= 1:
            raise Refusal(483, "This call has been sent on too often")
        refer = replace(refer, max_forwards=refer.max_forwards - 1)
        if isinstance(transferor, ByOrder) and transferor.consulted is not None:
            return self._into(transferor.consulted, refer)
        if transferor.side == "mesh":
            return replace(refer, target=Uri.parse(mesh_uri(refer.target, self._node.domain, ())))
        if refer.replaces is not None:
            return await self._meant_dialog(transferor, refer, refer.replaces)
        hosts = {*self._own_hosts(), transferor.local_host}
        target = mesh_uri(refer.target, self._node.domain, hosts)
        user = self._node.accounts.by_uri(self.party(self._of(transferor)))
        if user is not None and target == f"sip:{user.username}@{self._node.domain}":
            target = user.uri
        return replace(refer, target=Uri.parse(target))

    async def _meant_dialog(self, transferor: Leg, refer: Refer, replaces: Replaces) -> Refer:
        """Turn the dialog that our phone has with us into the one that leads to the target."""
        standing = await self.named(replaces)
        if standing.leg.side != "phone" or standing.leg.remote_host != transferor.remote_host:
            raise Refusal(403, "The call to transfer to belongs to another phone")
        return self._into(standing, refer)

    def _into(self, standing: Standing, refer: Refer) -> Refer:
        """Return a REFER that leads to the party beyond, in the place of our user."""
        leg, beyond = innermost(standing.leg), innermost(standing.beyond)
        if isinstance(beyond, DialogLeg) and beyond.side == "mesh" and beyond.dialog is not None:
            replaces = Replaces(beyond.call_id, beyond.dialog.remote_tag, beyond.tag)
        elif isinstance(leg, DialogLeg) and leg.dialog is not None:
            replaces = Replaces(leg.call_id, leg.tag, leg.dialog.remote_tag)
        else:
            raise Refusal(403, "Nobody can be transferred into this call")
        target = mesh_uri(Uri.parse(self._beyond(standing)), self._node.domain, ())  # none of a plain domain
        return replace(refer, target=Uri.parse(target), replaces=replaces)

    # -- carrying it out

    async def send_on(self, transferor: Leg, phone: Leg, refer: Refer) -> SentOn:
        """Call the target for `phone`."""
        old = self._of(transferor)
        meant = await self._meant(transferor, refer)
        user = self._node.accounts.by_uri(self._beyond(old))
        inner = innermost(phone)
        if user is None or not isinstance(inner, DialogLeg | HandsetLeg) or not inner.session:
            raise Refusal(603, "The other side cannot be sent on")
        if inner.times_sent_on >= self._node.limits.transfers_in_a_row:
            raise Refusal(403, "This call has been sent on too often")
        self._calls.check_room(user.uri, None)
        return self._begin(old, transferor, inner, user, meant)

    def _begin(
        self, old: Standing, transferor: Leg, inner: DialogLeg | HandsetLeg, user: LocalUser, meant: Refer
    ) -> SentOn:
        by, target = self.party(old), str(meant.target)
        calling = CallingPhone(
            inner.local_host,
            inner.address,
            unheld(inner.session),
            meant.max_forwards,
            must_encrypt=must_encrypt(inner),
        )
        referral = Referral(by, meant.replaces, self.take_over_here)
        hidden = old.call.is_anonymous or self._node.rules.calls_anonymously(user)
        outgoing = Outgoing(self._node, user, target, calling, referral, anonymous=hidden)

        def joined() -> None:
            inner.times_sent_on += 1
            self._tell(old, new.id, "transferee", user.uri, target)

        sent_on = SentOn(inner, old.call, old.beyond, transferor, joined)
        new = self._calls.connect("out", sent_on, target, outgoing, user.uri, None)
        return sent_on

    async def take_over_here(self, replaces: Replaces, newcomer: Peer, into: str) -> TakenOver | None:
        """Return the phone of a call of this very node, None when the dialog is not ours."""
        if self._node.dialogs.named(replaces.call_id, replaces.to_tag) is None:
            return None
        standing = await self.named(replaces)
        return self.take_over(standing, newcomer, into) if standing.beyond.side == "phone" else None

    def take_over(self, standing: Standing, newcomer: Peer, into: str) -> TakenOver:
        """Return the phone of a call as the callee of another call."""
        target = self._beyond(standing)
        if standing.beyond.side != "phone":
            raise Refusal(481, "The call that was to be taken over leads to another node")

        def taken() -> None:
            self._tell(standing, into, "target", newcomer.uri, target)

        return TakenOver(innermost(standing.beyond), standing.call, standing.beyond, newcomer, taken)

    def succeeded(self, transferor: Leg, target: str) -> None:
        """The other node has carried a transfer out."""
        standing = self._standing(transferor)
        if standing is not None:
            self._tell(standing, "", "transferor", self._beyond(standing), target)

    def _tell(self, old: Standing, into: str, part: Part, whom: str, to: str) -> None:
        by = self.party(old)
        self._node.on_event(CallTransferred(old.call.id, into, part, by, whom, to))


def replaces_of(request: Request) -> Replaces | None:
    """Return which dialog an INVITE takes the place of, if it does; raise `Refusal`, `SipError`."""
    values = request.headers.get_all("Replaces")
    if len(values) > 1:
        raise Refusal(400, "A call can take the place of one other only")
    return Replaces.parse(values[0]) if values else None
