"""Requests from our phones that begin something: REGISTER, INVITE, OPTIONS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sipgate.addresses import our_address_on
from sipgate.authentication import Authenticator
from sipgate.events import RegistrationRefused
from sipgate.plain.outgoing import Dialled
from sipgate.ports import LocalUser, Refusal
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request
from sipgate.protocol.uri import Uri
from sipgate.registrar import IntervalTooBrief, Registrar
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Flow
from sipgate.ways import ways_to

from .anonymity import wish_of
from .call import Call
from .caller_leg import SipCallerLeg
from .content import content_of
from .exchange import replaces_of
from .keep_alive import check_interval
from .line import PhoneLine
from .node import Node
from .outgoing import CallingPhone, Referral
from .refusal import refuse
from .switchboard import Switchboard, hops_left

NO_OFFER = "This phone calls without saying what it can hear (an INVITE without SDP)"


@dataclass(frozen=True)
class FromPhone:
    """Answers phones. `own_hosts` gives the names that phones have for this node."""

    node: Node
    switchboard: Switchboard
    registrar: Registrar
    authenticator: Authenticator
    own_hosts: Callable[[], set[str]]

    async def register(self, transaction: ServerTransaction) -> None:
        """Answer REGISTER."""
        request = transaction.request
        try:
            response = self.registrar.answer(request, transaction.flow)
        except IntervalTooBrief as brief:
            response = refuse(request, brief, self.node.token())
            response.headers.add("Min-Expires", str(self.node.limits.min_expires))
        except Refusal as refusal:
            self.node.on_event(RegistrationRefused(_claimed_name(request), refusal.reason))
            raise
        await transaction.respond(response)

    async def invite(self, transaction: ServerTransaction) -> Call:
        """Begin a call; raise `Challenged`, `Refusal` or `SipError` when there is none to begin."""
        request, flow = transaction.request, transaction.flow
        user = self.authenticator.user_of(request, 407, flow)
        max_forwards = hops_left(request)
        dialled = Dialled.of(Uri.parse(request.uri), self.node, {*self.own_hosts(), flow.local[0]})
        asked = wish_of(request)
        check_interval(request)
        offer = content_of(request).sdp
        if not offer:
            raise Refusal(488, NO_OFFER)
        local_host = our_address_on(flow)
        line = self._line(request, flow, user, local_host)
        line.check(offer)
        referral = await self._replacing(request, user)
        self.switchboard.check_room(user.uri, None)
        leg = SipCallerLeg(transaction, offer, line, self.node.dialogs, self.node.token())
        address, must_encrypt = (flow.remote[0], flow.remote[1]), line.must_encrypt
        phone = CallingPhone(local_host, address, offer, max_forwards, must_encrypt=must_encrypt)
        search = dialled.search(self.node, user, phone, referral, asked=asked)
        return self.switchboard.connect("out", leg, dialled.target, search, user.uri, None)

    async def _replacing(self, request: Request, user: LocalUser) -> Referral | None:
        """Return what a phone that takes over a call of its user's other phone asks for; raise `Refusal`.

        Only from a call within the node: the keys of a call over the mesh do not move.
        """
        replaces = replaces_of(request)
        if replaces is None:
            return None
        exchange = self.switchboard.exchange
        standing = await exchange.named(replaces)
        if exchange.party(standing) != user.uri or standing.beyond.side != "phone":
            raise Refusal(481, "This call cannot be taken over from here")
        return Referral(user.uri, replaces, exchange.take_over_here)

    def _line(self, request: Request, flow: Flow, user: LocalUser, local_host: str) -> PhoneLine:
        contacts = request.contacts
        if isinstance(contacts, str) or len(contacts) != 1:
            raise SipError(400, "Bad Contact")
        contact = self.node.phone_contact(user.uri, local_host, flow.transport)
        ways, interval = ways_to(contacts[0].uri, flow), self.node.limits.session_interval
        return PhoneLine(
            self.node.sender,
            contact,
            ways,
            local_host,
            interval,
            device=user.device,
            must_encrypt=not user.may_be_plain,
            by_dtls=user.by_dtls,
        )


def _claimed_name(request: Request) -> str:
    return request.to.uri.user or ""
