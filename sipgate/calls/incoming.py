"""A call from another node, to phones of one of our users or to a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sipgate.call_rules import Forwarded
from sipgate.events import CallMissed
from sipgate.location import Binding
from sipgate.ports import IncomingCaller, LocalUser, MediaContext, Peer, Refusal, Service
from sipgate.protocol.errors import SipError
from sipgate.protocol.uri import Uri
from sipgate.target import is_dial_code, mesh_uri

from .happenings import Callee
from .inside import media_side, places_of
from .joint import Joint
from .leg import CalleeLeg, Leg
from .line import LOOPBACK, MeshLine, hops_to
from .node import Node
from .phones import legs_to, phones_of
from .service_leg import ServiceLeg
from .taken_over import TakenOver

NOBODY = "Nobody here has this name"


@dataclass(frozen=True)
class Called:
    """Whom a call from the mesh is for."""

    uri: str
    user: LocalUser | None
    service: Callable[[], Service] | None


def called_party(node: Node, uri: str) -> Called:
    """Return who or what answers here to a URI; raise `Refusal` 404."""
    user = node.accounts.by_uri(uri)
    service = node.service_for(uri, user)
    if user is None and service is None:
        raise Refusal(404, NOBODY)
    return Called(uri, user, service)


@dataclass(frozen=True)
class Replaced:
    """A phone in a call that the new call takes the place of; `take_over` makes it the new call's."""

    phone: Leg
    take_over: Callable[[Peer, str], TakenOver]


@dataclass(frozen=True)
class Incoming:
    """Finds the phones that a call from another node is for."""

    node: Node
    called: Called
    caller: IncomingCaller
    line: MeshLine
    call_id: str
    offer: bytes
    max_forwards: int
    replaced: Replaced | None = None
    calls_beside: Callable[[], int] = lambda: 0

    @property
    def target(self) -> str:
        """See `Search.target`."""
        return self.called.uri

    def forwarded(self, forwarded: Forwarded) -> Incoming:
        """See `Search.forwarded`: it is the caller's node that calls somebody else."""
        raise forwarded

    async def find(self, joint: Joint) -> Callee:
        """Return whom to invite and with which offer; raise `Refusal`."""
        peer = await self.node.admission.admit(self.caller)
        known = hops_to(self.caller.node_public_key, peer.endpoints)
        self.line.hops = [*self.line.hops, *(hop for hop in known if hop not in self.line.hops)]
        if self.replaced is not None:
            return await self._in_place(joint, peer, self.replaced)
        if self.called.service is not None:
            if is_dial_code(self.called.uri) and peer.trust != "self":
                raise Refusal(404, NOBODY)
            return await self._to_service(joint, peer, self.called.service)
        assert self.called.user is not None
        return await self._to_phones(joint, peer, self.called.user)

    async def _in_place(self, joint: Joint, peer: Peer, replaced: Replaced) -> Callee:
        phone = replaced.phone
        leg = replaced.take_over(peer, joint.call)
        offer = await self._open_media(joint, peer, phone.local_host, frozenset({phone.remote_host}))
        return Callee(peer, self.call_id, offer, (leg,))

    async def _to_service(self, joint: Joint, peer: Peer, make: Callable[[], Service]) -> Callee:
        offer = await self._open_media(joint, peer, LOOPBACK, frozenset({LOOPBACK}))
        return Callee(peer, self.call_id, offer, (ServiceLeg(make()),))

    async def _to_phones(self, joint: Joint, peer: Peer, user: LocalUser) -> Callee:
        (seconds, phones), handsets = self._phones_of(user, peer), self.node.handsets
        side = media_side(places_of(phones, beside=handsets.has(user.username)))
        offer = await self._open_media(joint, peer, side.host, side.allowed)
        legs = legs_to(self.node, phones, user, peer, self.node.token(), self.max_forwards)
        all_legs: tuple[CalleeLeg, ...] = (*legs, *handsets.legs(user.username, peer))
        if not all_legs:
            raise Refusal(486, f"{user.display_name} has too many calls already")
        return Callee(peer, self.call_id, offer, all_legs, seconds, partial(self._instead, user, peer))

    def _phones_of(self, user: LocalUser, peer: Peer) -> tuple[float | None, tuple[Binding, ...]]:
        """Return how long to ring which phones; a call that neither rings nor goes on to somebody has been missed."""
        try:
            seconds = self.node.rules.before_ringing(user, peer, self.calls_beside())
            return seconds, phones_of(self.node, user, beside=self.node.handsets.has(user.username))
        except Refusal as refusal:
            instead = self._instead(user, peer, refusal, has_rung=False)
            if not isinstance(instead, Forwarded):
                missed = CallMissed(self.call_id, user.username, peer.uri, peer.display_name, peer.trust)
                self.node.on_event(missed)
            raise instead from refusal

    def _instead(self, user: LocalUser, peer: Peer, refusal: Refusal, has_rung: bool) -> Refusal:
        """Return what the caller hears; a phone too may say whom to call, at an address of the mesh."""
        if not isinstance(refusal, Forwarded):
            return self.node.rules.instead(user, peer, refusal, has_rung=has_rung)
        try:
            return Forwarded(
                mesh_uri(Uri.parse(refusal.to), self.node.domain, ()), refusal.why, refusal.reason
            )
        except (SipError, Refusal):
            return Refusal(480, f"A phone of {user.display_name} sends callers to where they cannot go")

    async def _open_media(
        self, joint: Joint, peer: Peer, phone_host: str, phone_allowed: frozenset[str]
    ) -> bytes:
        context = MediaContext(
            call_id=self.call_id,
            role="callee",
            peer=peer,
            local_uri=self.called.uri if self.called.user is None else self.called.user.uri,
            phone_host=phone_host,
            peer_host=self.line.remote_host,
            phone_allowed=phone_allowed,
        )
        joint.media = await self.node.media.open(context)
        return await joint.offer("mesh", self.offer)
