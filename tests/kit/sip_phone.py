"""A scripted SIP phone: registers, calls and is called over real sockets, and does what the test says."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from sipgate.client_transaction import ClientTransaction
from sipgate.endpoint import Endpoint
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.digest import Credentials, parse_fields, response_value
from sipgate.protocol.message import Request, Response, reply
from sipgate.protocol.timers import TimerValues
from sipgate.server_transaction import ServerTransaction
from sipgate.transport import Hop, TransportName

PATIENCE = 5.0
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0\r\n"


@dataclass(eq=False)
class PhoneCall:
    """A dialog of the phone, in either direction."""

    phone: SipPhone
    dialog: Dialog | None = None
    invite: Request | None = None
    transaction: ServerTransaction | None = None
    sending: ClientTransaction | None = None
    responses: list[Response] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)
    bye: asyncio.Future[Request] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    inside: asyncio.Queue[ServerTransaction] = field(default_factory=asyncio.Queue)
    acks: bool = True

    # placed by us

    async def response(self, status: int) -> Response:
        """Wait for a response with this status."""
        async with asyncio.timeout(PATIENCE), self.news:
            while True:
                for each in self.responses:
                    if each.status == status:
                        return each
                await self.news.wait()

    async def repeated(self, status: int) -> Response:
        """Wait for the second response with this status."""
        async with asyncio.timeout(PATIENCE), self.news:
            while len(found := [each for each in self.responses if each.status == status]) < 2:
                await self.news.wait()
            return found[1]

    async def final(self) -> Response:
        """Wait for the final response."""
        async with asyncio.timeout(PATIENCE), self.news:
            while not (self.responses and self.responses[-1].status >= 200):
                await self.news.wait()
            return next(each for each in self.responses if each.status >= 200)

    async def follow(self, sending: ClientTransaction) -> None:
        """Collect responses; confirm each 2xx."""
        self.sending = sending
        async for response in sending.responses():
            if 200 <= response.status < 300:
                if self.dialog is None:
                    self.dialog = Dialog.as_uac(sending.request, response)
                if self.acks:
                    await self.ack()
            async with self.news:
                self.responses.append(response)
                self.news.notify_all()

    async def ack(self) -> None:
        assert self.dialog is not None
        assert self.sending is not None
        await self.phone.endpoint.send_ack(self.dialog.make_ack(self.sending.request), self.phone.hop)

    async def cancel(self) -> None:
        assert self.sending is not None
        await self.sending.cancel('SIP;cause=487;text="changed my mind"')

    # taken by us

    async def say(self, status: int, sdp: bytes = b"", *, reason: str | None = None, **headers: str) -> None:
        """Answer the INVITE."""
        assert self.transaction is not None
        response = reply(self.transaction.request, status, reason, tag=self.tag)
        for name, value in {"Contact": self.phone.contact, **headers}.items():
            response.headers.add(name.replace("_", "-"), value)
        if sdp:
            response.set_body("application/sdp", sdp)
        await self.transaction.respond(response)

    async def ring(self) -> None:
        await self.say(180)

    async def answer(self, sdp: bytes = SDP) -> None:
        """Answer and wait for the ACK."""
        assert self.transaction is not None
        await self.say(200, sdp)
        async with asyncio.timeout(PATIENCE):
            await self.transaction.acked

    async def cancelled(self) -> str | None:
        """Wait for the CANCEL; return its Reason."""
        assert self.transaction is not None
        async with asyncio.timeout(PATIENCE):
            return await self.transaction.cancelled.wait()

    @property
    def tag(self) -> str:
        assert self.dialog is not None
        return self.dialog.local_tag

    @property
    def offer(self) -> bytes:
        assert self.invite is not None
        return self.invite.body

    # both

    def inside_request(
        self, method: str, body: bytes = b"", content_type: str = "application/sdp"
    ) -> Request:
        assert self.dialog is not None
        request = self.dialog.make_request(method)
        request.headers.add("Contact", self.phone.contact)
        if body:
            request.set_body(content_type, body)
        return request

    async def send(self, method: str, body: bytes = b"", content_type: str = "application/sdp") -> Response:
        """Send a request inside the dialog; confirm a 2xx to a re-INVITE."""
        request = self.inside_request(method, body, content_type)
        async with asyncio.timeout(PATIENCE):
            sending = self.phone.endpoint.request(request, self.phone.hop)
            response = await sending.final()
        if method == "INVITE" and response.status < 300:
            assert self.dialog is not None
            await self.phone.endpoint.send_ack(self.dialog.make_ack(sending.request), self.phone.hop)
        return response

    async def hang_up(self) -> Response:
        return await self.send("BYE")

    async def ended(self) -> Request:
        """Wait for the other side's BYE."""
        async with asyncio.timeout(PATIENCE):
            return await asyncio.shield(self.bye)


class SipPhone:
    """One phone with one account. An async context manager."""

    def __init__(self, user: str, server: int, *, secret: str = "", transport: TransportName = "udp") -> None:
        self.user = user
        self.secret = secret or f"{user}-pw"
        self.hop = Hop(transport, "127.0.0.1", server)
        self.endpoint = Endpoint(on_request=self._take, timers=TimerValues(t1=0.1, t2=0.4, t4=0.5))
        self.port = 0
        self.incoming: asyncio.Queue[PhoneCall] = asyncio.Queue()
        self.calls: list[PhoneCall] = []
        self.messages: asyncio.Queue[Request] = asyncio.Queue()
        self.takes_messages: int | None = 200  # the status for MESSAGE; None: silence
        self.rings_by_itself = True
        self.says_that_it_is_there = False  # answers OPTIONS in a call by itself
        self.is_stuck = False  # takes requests and says nothing more to them than 100
        self._registration = secrets.token_hex(8)
        self._cseq = 0

    async def __aenter__(self) -> Self:
        await self.endpoint.__aenter__()
        listen = self.endpoint.listen_tcp if self.hop.transport == "tcp" else self.endpoint.listen_udp
        self.port = await listen("127.0.0.1", 0)
        self._group = asyncio.TaskGroup()
        await self._group.__aenter__()
        self._following: list[asyncio.Task[None]] = []
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._following:
            task.cancel()
        await self._group.__aexit__(None, None, None)
        await self.endpoint.__aexit__(None, None, None)

    def vanish(self) -> None:
        """Close the sockets without a word, as a crash does."""
        for sock in self.endpoint._flows._udp:
            sock.close()

    @property
    def contact(self) -> str:
        parameter = ";transport=tcp" if self.hop.transport == "tcp" else ""
        return f"<sip:{self.user}@127.0.0.1:{self.port}{parameter}>"

    def request(self, method: str, uri: str, to: str | None = None, call_id: str | None = None) -> Request:
        """Return a request outside of any dialog."""
        self._cseq += 1
        request = Request(method, uri)
        for name, value in (
            ("Max-Forwards", "70"),
            ("From", f'"{self.user}" <sip:{self.user}@mesh>;tag={secrets.token_hex(4)}'),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id or secrets.token_hex(8)),
            ("CSeq", f"{self._cseq} {method}"),
            ("Contact", self.contact),
        ):
            request.headers.add(name, value)
        request.set_body(None, b"")
        return request

    def credentials(self, request: Request, challenged: Response, *, count: int = 1) -> tuple[str, str]:
        """Return the header that answers a challenge, the first one of several."""
        asks, gives = {
            401: ("WWW-Authenticate", "Authorization"),
            407: ("Proxy-Authenticate", "Proxy-Authorization"),
        }[challenged.status]
        fields = parse_fields(challenged.headers.get(asks) or "")
        algorithm = fields.get("algorithm", "MD5")
        made = Credentials(
            self.user, fields["realm"], fields["nonce"], request.uri, "", algorithm, "c0ffee", count
        )
        answer = response_value(made, request.method, self.secret)
        return gives, (
            f'Digest username="{self.user}", realm="{made.realm}", nonce="{made.nonce}", uri="{made.uri}", '
            f'response="{answer}", algorithm={algorithm}, qop=auth, nc={count:08x}, cnonce="c0ffee"'
        )

    def again(self, request: Request, challenged: Response) -> Request:
        """Return the request with credentials and the next CSeq."""
        self._cseq += 1
        repeated = Request(request.method, request.uri, request.headers.copy(), request.body)
        repeated.headers.set("CSeq", f"{self._cseq} {request.method}")
        repeated.headers.add(*self.credentials(repeated, challenged))
        return repeated

    async def send(self, request: Request) -> Response:
        """Send a request that is no INVITE, with credentials when asked."""
        async with asyncio.timeout(PATIENCE):
            response = await self.endpoint.request(request, self.hop).final()
            if response.status in (401, 407):
                response = await self.endpoint.request(self.again(request, response), self.hop).final()
            return response

    async def register(self, *, contact: str | None = None, expires: int | None = 600) -> Response:
        uri = f"sip:{self.user}@mesh"
        request = self.request("REGISTER", "sip:mesh", f"<{uri}>", self._registration)
        request.headers.set("Contact", contact or self.contact)
        if expires is not None:
            request.headers.add("Expires", str(expires))
        return await self.send(request)

    async def write(
        self, uri: str, text: bytes, content_type: str = "text/plain;charset=UTF-8", **headers: str
    ) -> Response:
        """Send a MESSAGE."""
        request = self.request("MESSAGE", uri)
        request.headers.remove("Contact")
        for name, value in headers.items():
            request.headers.set(name.replace("_", "-"), value)
        request.set_body(content_type, text)
        return await self.send(request)

    async def message(self) -> Request:
        """Wait for an incoming MESSAGE."""
        async with asyncio.timeout(PATIENCE):
            return await self.messages.get()

    async def call(self, uri: str, sdp: bytes = SDP, *, acks: bool = True, **headers: str) -> PhoneCall:
        """Begin a call; returns when it is authenticated and on its way, or refused."""
        request = self.request("INVITE", uri)
        for name, value in headers.items():
            request.headers.set(name.replace("_", "-"), value)
        if sdp:
            request.set_body("application/sdp", sdp)
        call = PhoneCall(self, acks=acks)
        self.calls.append(call)
        async with asyncio.timeout(PATIENCE):
            response = await self.endpoint.request(request, self.hop).final()
        if response.status != 407:
            call.responses.append(response)
            return call
        request = self.again(request, response)
        call.invite = request
        sending = self.endpoint.request(request, self.hop)
        self._following.append(self._group.create_task(call.follow(sending)))
        return call

    async def rung(self) -> PhoneCall:
        """Wait for an incoming call."""
        async with asyncio.timeout(PATIENCE):
            return await self.incoming.get()

    async def _take(self, transaction: ServerTransaction) -> None:
        if self.is_stuck:
            return
        request = transaction.request
        call = next((c for c in self.calls if c.dialog is not None and c.dialog.belongs(request)), None)
        if request.to.tag is None and request.method == "INVITE":
            await self._ring(transaction)
        elif request.method == "MESSAGE" and call is None:
            if self.takes_messages is not None:
                await transaction.respond(reply(request, self.takes_messages, tag="m"))
            await self.messages.put(request)
        elif call is None:
            await transaction.respond(reply(request, 481, tag="none"))
        elif request.method == "BYE":
            if not call.bye.done():
                call.bye.set_result(request)
            await transaction.respond(reply(request, 200))
        elif self.says_that_it_is_there and request.method == "OPTIONS":
            await transaction.respond(reply(request, 200))
        else:
            await call.inside.put(transaction)

    async def _ring(self, transaction: ServerTransaction) -> None:
        dialog = Dialog.as_uas(transaction.request, secrets.token_hex(4))
        call = PhoneCall(self, dialog=dialog, invite=transaction.request, transaction=transaction)
        self.calls.append(call)
        if self.rings_by_itself:
            await call.ring()
        await self.incoming.put(call)
