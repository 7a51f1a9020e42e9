"""A call from one of our users: to another node, or to phones of this one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from sipgate.call_rules import Forwarded
from sipgate.handset import Handset
from sipgate.ports import LocalUser, MediaContext, Peer, Refusal
from sipgate.protocol.diversion import Diversion
from sipgate.protocol.errors import SipError
from sipgate.protocol.replaces import Replaces
from sipgate.protocol.uri import Uri
from sipgate.target import is_dial_code, mesh_uri
from sipgate.transport import Address

from .callee_leg import SipCalleeLeg
from .happenings import Callee
from .inside import Place, media_side, place_of, places_of, talk_directly
from .joint import Joint
from .leg import CalleeLeg
from .mesh_leg import leg_to_node
from .node import Node
from .phones import legs_to, phones_of
from .taken_over import TakenOver

MAX_DIVERSIONS = 5


@dataclass(frozen=True)
class CallingPhone:
    """The calling phone's side of the media: our address as it sees it, and its own (None: a service or a handset).

    It `must_encrypt`, or may be plain.
    """

    phone_host: str
    address: Address | None
    offer: bytes
    max_forwards: int
    handset: Handset | None = None
    must_encrypt: bool = False

    @property
    def place(self) -> Place:
        """Where its media is."""
        hosts = frozenset({self.phone_host if self.address is None else self.address[0]})
        return Place(self.phone_host, hosts, self.must_encrypt)


@dataclass(frozen=True)
class Referral:
    """Who (a URI) has sent the phone on, and to take the place of which dialog.

    `take_over` returns the phone in that dialog when it is one of this node.
    """

    by: str
    replaces: Replaces | None
    take_over: Callable[[Replaces, Peer, str], Awaitable[TakenOver | None]]

    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return what the INVITE to another node says of it (RFC 3892, RFC 3891)."""
        replaces = () if self.replaces is None else (("Replaces", str(self.replaces)),)
        return (("Referred-By", f"<{self.by}>"), *replaces)


@dataclass(frozen=True)
class Outgoing:
    """Finds the callee of a call from `user`. `diversions` are those that have sent it on, the latest first.

    The node of the callee of an `anonymous` call learns nothing of `user`, nor which node calls.
    """

    node: Node
    user: LocalUser
    target: str
    phone: CallingPhone
    referral: Referral | None = None
    diversions: tuple[Diversion, ...] = ()
    anonymous: bool = False

    def forwarded(self, forwarded: Forwarded) -> Outgoing:
        """Return what finds the one to whom the call goes on, at most `MAX_DIVERSIONS` times; raise `Refusal`."""
        try:
            target = mesh_uri(Uri.parse(forwarded.to), self.node.domain, ())
        except (SipError, Refusal):
            raise Refusal(480, "The call was forwarded to where it cannot go") from None
        before = {self.target, *(each.diverter for each in self.diversions)}
        if target in before or is_dial_code(target):
            raise Refusal(482, "The call was forwarded back to where it had been")
        if len(before) > MAX_DIVERSIONS:
            raise Refusal(480, "The call was forwarded too often")
        diversions = (Diversion(self.target, forwarded.why), *self.diversions)
        return replace(self, target=target, referral=None, diversions=diversions)

    async def find(self, joint: Joint) -> Callee:
        """Return whom to invite and with which offer; raise `Refusal`."""
        taken = await self._take_over(joint)
        if taken is not None:
            return taken
        target = self._meant()
        callee = self.node.accounts.by_uri(target)
        if callee is not None and self.node.service_for(target, callee) is None:
            return await self._find_here(joint, callee)
        if self.anonymous:
            return await self._find_anonymously(joint, target)
        return await self.to_peer(joint, target, await self.node.directory.resolve(target))

    async def _find_anonymously(self, joint: Joint, target: str) -> Callee:
        """Call under keys made for this call; whoever is called is a stranger to them. Own services know us anyway."""
        if self.node.aliases is None:
            raise Refusal(500, "This node cannot call anonymously")
        alias = await self.node.aliases.draw()
        peer = await alias.directory.resolve(target)
        if peer.trust == "self":
            return await replace(self, anonymous=False).find(joint)
        hidden = replace(self, node=self.node.under(alias), user=alias.user)
        return await hidden.to_peer(joint, target, replace(peer, known=False))

    def _meant(self) -> str:
        """Return whom the phone means: the name that it registers under is its own user's, whatever their address."""
        own = f"sip:{self.user.username}@{self.node.domain}"
        return self.user.uri if self.target == own else self.target

    async def _take_over(self, joint: Joint) -> Callee | None:
        if self.referral is None or self.referral.replaces is None:
            return None
        caller = self.node.as_peer(self.user)
        leg = await self.referral.take_over(self.referral.replaces, caller, joint.call)
        if leg is None:
            return None
        callee = self.node.accounts.by_uri(self.target) or self.user
        offer = await self._offer_here(joint, (place_of(leg),))
        joint.far = (leg,)
        return Callee(self.node.as_peer(callee), self.node.token(), offer, (leg,))

    async def _offer_here(self, joint: Joint, callees: Sequence[Place]) -> bytes:
        """Return the offer for phones of this node; one that is sent on may choose other keys when it hears of it."""
        caller, offer = self.phone.place, self.phone.offer
        if talk_directly(caller, offer, callees, is_sent_on=self.referral is not None):
            return offer
        joint.media = await self.node.media.between(media_side((caller,)), media_side(callees))
        return await joint.offer("phone", offer)

    async def _find_here(self, joint: Joint, callee: LocalUser) -> Callee:
        """Call the phones of one of our users."""
        caller = self.node.as_peer(self.user)
        handsets = self.node.handsets.legs(callee.username, caller, self.phone.handset)
        phones = phones_of(self.node, callee, self.phone.address, beside=bool(handsets))
        call_id = self.node.token()
        offer = await self._offer_here(joint, places_of(phones, beside=bool(handsets)))
        legs = legs_to(self.node, phones, callee, caller, call_id, self.phone.max_forwards)
        all_legs: tuple[CalleeLeg, ...] = (*legs, *handsets)
        joint.far = all_legs
        return Callee(self.node.as_peer(callee), call_id, offer, all_legs)

    async def to_peer(self, joint: Joint, target: str, peer: Peer) -> Callee:
        """Return the leg to the node of `peer`, called as `target`, and the offer for it; raise `Refusal`."""
        call_id = self.node.token()
        headers = () if self.referral is None else self.referral.headers()
        headers += tuple(("Diversion", str(each)) for each in self.diversions)
        leg = leg_to_node(self.node, peer, target, self.user, call_id, self.phone.max_forwards, headers)
        offer = await offer_beyond(self, joint, leg, peer, call_id)
        return Callee(peer, call_id, offer, (leg,), is_anonymous=self.anonymous)


class Beyond(Protocol):
    """A search for somebody who is not at this node."""

    @property
    def node(self) -> Node:
        """This node."""
        ...

    @property
    def user(self) -> LocalUser:
        """Who calls."""
        ...

    @property
    def phone(self) -> CallingPhone:
        """With what."""
        ...

    @property
    def anonymous(self) -> bool:
        """Whether that is hidden from who is called."""
        ...


async def offer_beyond(
    search: Beyond,
    joint: Joint,
    leg: SipCalleeLeg,
    peer: Peer,
    call_id: str,
    may_reach: Callable[[str], bool] = lambda _address: False,
) -> bytes:
    """Open the media of a call that leaves this node by `leg`; return the offer. If that fails the leg is closed."""
    phone = search.phone
    context = MediaContext(
        call_id=call_id,
        role="caller",
        peer=peer,
        local_uri=search.user.uri,
        phone_host=phone.phone_host,
        peer_host=leg.line.remote_host,
        phone_allowed=phone.place.hosts,
        may_reach=may_reach,
        anonymous=search.anonymous,
    )
    try:
        joint.media = await search.node.media.open(context)
        return await joint.offer("phone", phone.offer)
    except BaseException:
        await leg.aclose()
        raise
