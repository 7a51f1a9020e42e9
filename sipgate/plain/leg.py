"""A B leg to a plain SIP domain: nobody proves anything there but a TLS certificate, and so do we."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from sipgate.calls.callee_leg import Invitation, SipCalleeLeg
from sipgate.calls.dialogs import Dialogs
from sipgate.calls.joint import Side
from sipgate.calls.leg import Failed, Junction, Reply
from sipgate.calls.line import host_of, same
from sipgate.calls.refusal import refusal_of, refuse
from sipgate.calls.sending import Sender, Sending
from sipgate.client_transaction import ClientTransaction
from sipgate.ports import Refusal
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Message, Request, Response
from sipgate.protocol.session_timer import OPTION
from sipgate.protocol.uri import Uri
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Flow, Hop
from sipgate.ways import Way

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"
NOT_SENT_ON = "Only calls of the mesh can be transferred"


@dataclass(eq=False)
class DomainLine:
    """To the servers of one domain, best first."""

    sender: Sender
    contact: str
    domain: str
    servers: Sequence[Way]
    session_interval: int = 0
    local_host: str = ""  # nobody asks: no phone is there
    must_encrypt: bool = False  # nor is anybody there of whom to ask it
    by_dtls: bool = False
    side: Side = "mesh"  # the side of the world: what a phone says is turned for it, and back

    @property
    def remote_host(self) -> str:
        """The address of the server that is used, or the first one to try."""
        return host_of(self.servers[0])

    def ways(self) -> Sequence[Way]:
        """Return the connection while it is open, and the servers."""
        usable = [way for way in self.servers if isinstance(way, Hop) or not way.is_closed]
        return usable or self.servers[-1:]

    def check(self, sdp: bytes) -> None:
        """The media looks at all of it."""

    def seal(self, request: Request) -> None:
        """There is nothing that would prove us."""

    def cancel_headers(self, invite: Request) -> Iterable[tuple[str, str]]:  # noqa: ARG002 - see `seal`
        """Return nothing."""
        return ()

    def admit(self, request: Request, flow: Flow | None) -> None:  # noqa: ARG002 - the dialog's tags decide
        """Take requests from whoever knows the dialog; over TLS when it began so."""
        if flow is not None and flow.transport != "tls" and self.servers[0].transport == "tls":
            raise Refusal(403, "This call goes over TLS")

    def learn(self, way: Way) -> None:
        """Keep to the way that worked."""
        self.servers = (way, *(other for other in self.servers if other != way))


class ServerChoice(Sending):
    """An INVITE to one server after the other: one that is silent, gone or overloaded is passed over (RFC 3263 4.3)."""

    def _has_failed(self, transaction: ClientTransaction, response: Response) -> bool:
        return transaction.failure in ("transport", "timeout") or (
            transaction.failure is None and response.status == 503
        )

    def _is_heard(self, response: Response) -> bool:
        return response.status > 100


class DomainLeg(SipCalleeLeg):
    """We are the UAC. `servers` finds those of a URI."""

    carrier = ServerChoice

    def __init__(
        self,
        line: DomainLine,
        dialogs: Dialogs,
        tag: str,
        invitation: Invitation,
        servers: Callable[[Uri], Awaitable[Sequence[Way]]],
    ) -> None:
        super().__init__(line, dialogs, tag, invitation)
        self._domain_line = line
        self._servers = servers

    async def confirm(self, fragment: bytes | None) -> None:  # noqa: ARG002 - there is none
        """ACK, by the way that the answer has named for all further requests (RFC 3261 12.2.1.1)."""
        way = await self._named_way()
        if way is not None:
            self._way = way
            self._domain_line.learn(way)
        await super().confirm(None)

    async def _named_way(self) -> Way | None:
        """Return the way to the first Route or the Contact; None to stay on the one that the answer came by."""
        if self.dialog is None or self._way is None:
            return None
        uri, came_by = self.dialog.next_hop(), self._way
        try:
            found = (await self._servers(uri))[0]
        except (Refusal, SipError):
            return None
        if came_by.transport == "tls" and found.transport != "tls":
            return None
        is_stream = found.transport != "udp" and found.transport == came_by.transport
        return None if is_stream and same(host_of(found), host_of(came_by)) else found

    def introduce(self, message: Message) -> None:
        message.headers.add("Contact", self.line.contact)
        message.headers.add("Allow", ALLOW)
        message.headers.add("Supported", OPTION)

    def _as_lost(self, response: Response, sending: Sending) -> Response:
        """A server that cannot be reached within a call has lost it."""
        if sending.is_made_up and response.status == 503:
            response.status = 408
        return response

    def _fail(self, response: Response, junction: Junction, *, is_made_up: bool) -> None:
        junction.post(Failed(self, self._refusal(response, is_made_up=is_made_up)))

    def _refusal(self, response: Response, *, is_made_up: bool) -> Refusal:
        domain = self._domain_line.domain
        if is_made_up and response.status != 487:
            return Refusal(480, f"{domain} cannot be reached")
        if response.status in (401, 407):
            return Refusal(403, f"{domain} wants a password, and this node gives none to other domains")
        if response.status < 400:
            return Refusal(480, f"{domain} wants the call to go elsewhere, which is not followed")
        return refusal_of(response, is_made_up=is_made_up, who="domain")

    async def refer(self, refer: object, by: str) -> Reply:  # noqa: ARG002 - the same for all
        """Nobody at a plain domain can call into the mesh."""
        return Reply(603, NOT_SENT_ON)

    async def _answer_refer(self, transaction: ServerTransaction) -> Response:
        """A plain domain sends nobody on."""
        return refuse(transaction.request, Refusal(603, NOT_SENT_ON))
