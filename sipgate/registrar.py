"""The registrar: phones say where they are (RFC 3261 10.3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .addresses import our_address_on
from .authentication import Authenticator
from .events import PhoneRegistered, PhoneUnregistered
from .limits import Limits
from .location import Binding, Change, Location, StaleRequest, TooManyBindings
from .ports import LocalUser, Refusal
from .protocol.address import Address
from .protocol.errors import SipError
from .protocol.message import Request, Response, reply
from .protocol.outbound import FLOW_TIMER, OPTION, PhoneFlow, check_first_hop, wants_outbound
from .protocol.scanner import unquote
from .protocol.uri import Uri
from .stream import StreamFlow
from .transport import Flow
from .ways import SIP_PORT, Route, ways_to

MAX_CONTACT = 512
GRACE = 15  # seconds that a phone may be late with its keep-alive


class IntervalTooBrief(Refusal):
    """The phone wants to come back too often."""

    def __init__(self) -> None:
        super().__init__(423, "This node wants phones to register less often")


@dataclass
class Registrar:
    """Answers REGISTER. `is_own` tells whether a URI leads to this node itself; `clock` is monotonic."""

    authenticator: Authenticator
    location: Location
    limits: Limits
    clock: Callable[[], float]
    is_own: Callable[[Uri], bool]
    on_event: Callable[[PhoneRegistered | PhoneUnregistered], None]

    def answer(self, request: Request, flow: Flow) -> Response:
        """Return the response; raise `Challenged`, `Refusal` or `SipError`, nothing changed."""
        user = self.authenticator.user_of(request, 401, flow)
        self._check_name(request, user)
        now = self.clock()
        try:
            self._tell(user, self._change(request, flow, user, now), now)
        except StaleRequest:
            raise Refusal(500, "A later registration of this phone is in already") from None
        except TooManyBindings:
            raise Refusal(403, "Too many phones are registered for this user") from None
        response = self._list(request, user, now)
        if isinstance(flow, StreamFlow) and self.location.such(now, lambda each: _is_tied(each, flow)):
            flow.expect_pings(FLOW_TIMER + GRACE)
            response.headers.add("Require", OPTION)
            response.headers.add("Flow-Timer", str(FLOW_TIMER))
        return response

    def flow_closed(self, flow: Flow) -> None:
        """Forget the bindings that were tied to a connection."""
        for user, binding in self.location.such(self.clock(), lambda each: _is_tied(each, flow)):
            self.location.drop(user, binding.key)
            self.on_event(PhoneUnregistered(user, binding.contact))

    def expire(self) -> None:
        """Forget the bindings that have run out."""
        for user, binding in self.location.expire(self.clock()):
            self.on_event(PhoneUnregistered(user, binding.contact))

    @staticmethod
    def _check_name(request: Request, user: LocalUser) -> None:
        """RFC 3261 10.3 steps 4 and 5: nobody registers phones for somebody else."""
        name = request.to.uri.canonical().partition(":")[2].partition("@")[0]
        if name not in (user.username.lower(), user.uri.partition(":")[2].partition("@")[0]):
            raise Refusal(403, "A phone can only register for its own user")

    def _change(self, request: Request, flow: Flow, user: LocalUser, now: float) -> Change:
        contacts = request.contacts
        if isinstance(contacts, str):
            if request.expires != 0:
                raise SipError(400, "Contact * goes with Expires 0 only")
            return self.location.clear(user.username, request.call_id, request.cseq.number, now)
        bindings = tuple(self._binding(request, contact, flow, user, now) for contact in contacts)
        if sum(bool(each.instance) and not each.is_expired(now) for each in bindings) > 1:
            raise SipError(400, "A connection is one flow of a phone, not several")
        return self.location.update(user.username, bindings, now)

    def _binding(
        self, request: Request, contact: Address, flow: Flow, user: LocalUser, now: float
    ) -> Binding:
        uri = contact.uri
        if not uri.is_sip or uri.scheme != "sip" or len(str(uri)) > MAX_CONTACT:
            raise SipError(400, "Bad Contact")
        if self.is_own(uri):
            raise Refusal(403, "The contact of this phone is the node itself")
        lasts = self._lasts(request, contact)
        tied = _flow_named(request, contact, flow)
        route = Route((flow,) if tied else ways_to(uri, flow), our_address_on(flow))
        key = f"{tied.instance};{tied.reg_id}" if tied else _device(contact)
        return Binding(
            str(uri),
            key,
            request.call_id,
            request.cseq.number,
            now + lasts,
            route,
            user.device,
            not user.may_be_plain,
            user.by_dtls,
            tied.instance if tied else "",
        )

    def _lasts(self, request: Request, contact: Address) -> int:
        """Return the seconds that a binding is good for; malformed means default (RFC 3261 10.3)."""
        asked = contact.parameters.get("expires")
        if asked is not None and asked.isascii() and asked.isdigit() and len(asked) <= 10:
            seconds = int(asked)
        else:
            seconds = self.limits.default_expires if request.expires is None else request.expires
        if 0 < seconds < self.limits.min_expires:
            raise IntervalTooBrief
        return min(seconds, self.limits.max_expires)

    def _tell(self, user: LocalUser, change: Change, now: float) -> None:
        for binding in change.removed:
            self.on_event(PhoneUnregistered(user.username, binding.contact))
        for binding in change.bound:
            lasts = round(binding.expires_at - now)
            self.on_event(PhoneRegistered(user.username, binding.contact, lasts, binding.device))

    def _list(self, request: Request, user: LocalUser, now: float) -> Response:
        response = reply(request, 200)
        for binding in self.location.bindings(user.username, now):
            left = max(1, round(binding.expires_at - now))
            response.headers.add("Contact", f"<{binding.contact}>;expires={left}")
        return response


def _flow_named(request: Request, contact: Address, flow: Flow) -> PhoneFlow | None:
    """Return which flow of its phone a Contact is tied to: none over UDP, where only STUN could keep it alive."""
    named = PhoneFlow.of(contact) if wants_outbound(request) and flow.transport != "udp" else None
    if named is not None:
        check_first_hop(request)
    return named


def _is_tied(binding: Binding, flow: Flow) -> bool:
    return bool(binding.instance) and flow in binding.route.ways


def _device(contact: Address) -> str:
    """Return what tells devices apart: the instance that the phone gives (RFC 5626 4.1), else its URI."""
    instance = contact.parameters.get("+sip.instance")
    if instance:
        return f"{unquote(instance)};"
    uri = contact.uri
    transport = (uri.parameters.get("transport") or "").lower()
    return f"{uri.canonical()}:{uri.port or SIP_PORT};{transport}"
