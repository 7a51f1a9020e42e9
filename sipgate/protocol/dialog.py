"""Dialogs (RFC 3261 12): what two user agents share from the first response with a To tag until a BYE.

A dialog is made on either side (`as_uac`, `as_uas`), then writes the requests inside it and checks the order
of those that come. Who owns it, and when it ends, is for the layer above.
"""

from __future__ import annotations

from .address import Address
from .errors import SipError
from .message import Message, Request, Response
from .uri import Uri

MAX_FORWARDS = 70
MAX_ROUTES = 16
_REFRESHES_TARGET = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})  # RFC 3261 6, 3311, 6665
_CREDENTIALS = ("Authorization", "Proxy-Authorization")


class Dialog:
    """One dialog, seen from our side.

    `remote_target` is where requests go in the end, as a URI; `route_set` the Route values on the way there.
    `local_seq` and `remote_seq` are the CSeq numbers last used, None before the first.
    """

    def __init__(self, call_id: str, local: Address, remote: Address, remote_target: str) -> None:
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.remote_target = remote_target
        self.route_set: list[str] = []
        self.local_seq: int | None = None
        self.remote_seq: int | None = None
        self.is_early = False

    @classmethod
    def as_uac(cls, request: Request, response: Response) -> Dialog:
        """Return the dialog that a response of 101 to 299 to our request makes (12.1.2).

        A response without a usable Contact, against the RFC, leaves the Request-URI as the target. Raises
        SipError when its other headers cannot be read.
        """
        dialog = cls(request.call_id, request.from_, response.to, request.uri)
        dialog.local_seq = request.cseq.number
        dialog._take_response(response)
        return dialog

    @classmethod
    def as_uas(cls, request: Request, local_tag: str) -> Dialog:
        """Return the dialog that our response with `local_tag` to a request makes (12.1.1).

        Raises SipError (400) when the request has no single Contact, or its routes cannot be used.
        """
        target = _contact_of(request)
        if target is None:
            raise SipError(400, "Missing Contact")
        dialog = cls(request.call_id, request.to.with_tag(local_tag), request.from_, target)
        dialog.remote_seq = request.cseq.number
        dialog.route_set = _routes_of(request)
        return dialog

    @property
    def local_tag(self) -> str:
        """Our tag."""
        return self.local.tag or ""

    @property
    def remote_tag(self) -> str:
        """The tag of the other side; empty when it follows RFC 2543 and has none."""
        return self.remote.tag or ""

    @property
    def id(self) -> tuple[str, str, str]:
        """Call-ID, our tag, the other side's tag."""
        return self.call_id, self.local_tag, self.remote_tag

    def next_hop(self) -> Uri:
        """Return where a request inside the dialog goes first (12.2.1.1); raise SipError when that is no URI."""
        return Address.parse(self.route_set[0]).uri if self.route_set else Uri.parse(self.remote_target)

    # As the caller of a request.

    def confirm(self, response: Response) -> None:
        """Take the 2xx to the INVITE of an early dialog: target and routes are those in it (13.2.2.4)."""
        self._take_response(response)

    def refresh_target(self, message: Message) -> None:
        """Take the Contact of a target refresh: a 2xx to our request, or a request in order (12.2)."""
        self.remote_target = _contact_of(message) or self.remote_target

    def make_request(self, method: str) -> Request:
        """Return the next request inside the dialog, with an empty body and without Via and Contact."""
        self.local_seq = 1 if self.local_seq is None else self.local_seq + 1
        return self._request(method, self.local_seq)

    def make_ack(self, invite: Request) -> Request:
        """Return the ACK of a 2xx to our INVITE: its CSeq number and credentials (13.2.2.4)."""
        ack = self._request("ACK", invite.cseq.number)
        for name in _CREDENTIALS:
            for value in invite.headers.get_all(name):
                ack.headers.add(name, value)
        return ack

    # As the receiver of a request.

    def belongs(self, request: Request) -> bool:
        """Tell whether a request bears the identity of this dialog."""
        return (request.call_id, request.to.tag or "", request.from_.tag or "") == self.id

    def accepts(self, request: Request) -> bool:
        """Tell whether a request comes in order (12.2.2), and note its number and its Contact if so.

        One that does not is to be answered with 500. ACK and CANCEL bear the number of their INVITE and are
        always in order.
        """
        number = request.cseq.number
        if request.method in ("ACK", "CANCEL"):
            return True
        if self.remote_seq is not None and number <= self.remote_seq:
            return False
        self.remote_seq = number
        if request.method in _REFRESHES_TARGET:
            self.refresh_target(request)
        return True

    # Inside.

    def _take_response(self, response: Response) -> None:
        self.remote = response.to
        self.is_early = response.status < 200
        self.route_set = list(reversed(_routes_of(response)))
        self.refresh_target(response)

    def _request(self, method: str, number: int) -> Request:
        uri, routes = self._way()
        request = Request(method, uri)
        for route in routes:
            request.headers.add("Route", route)
        request.headers.add("Max-Forwards", str(MAX_FORWARDS))
        request.headers.add("From", str(self.local))
        request.headers.add("To", str(self.remote))
        request.headers.add("Call-ID", self.call_id)
        request.headers.add("CSeq", f"{number} {method}")
        request.headers.add("Content-Length", "0")
        return request

    def _way(self) -> tuple[str, list[str]]:
        """Return Request-URI and Route values; a first router without `lr` is a strict one (12.2.1.1)."""
        if not self.route_set:
            return self.remote_target, []
        first = Address.parse(self.route_set[0]).uri
        if "lr" in first.parameters:
            return self.remote_target, list(self.route_set)
        return str(first), [*self.route_set[1:], f"<{self.remote_target}>"]


def _routes_of(message: Message) -> list[str]:
    """Return the Record-Route values of a message, each of which can be read."""
    routes = message.headers.get_all("Record-Route")
    if len(routes) > MAX_ROUTES:
        raise SipError(400, "Too many Record-Route values")
    for route in routes:
        if not Address.parse(route).uri.is_sip:
            raise SipError(400, "Bad Record-Route")
    return routes


def _contact_of(message: Message) -> str | None:
    """Return the URI of the one Contact of a message; None when there is none, several, or no SIP URI."""
    contacts = message.contacts
    if isinstance(contacts, str) or len(contacts) != 1:
        return None
    uri = contacts[0].uri
    return str(uri) if uri.is_sip and uri.headers is None else None
