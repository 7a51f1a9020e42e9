"""What both kinds of SIP leg share: the dialog, and the requests inside it, both ways."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from sipgate.ports import MediaRefused, Peer, Refusal
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Message, Request, Response, reply
from sipgate.protocol.origin import Origin
from sipgate.protocol.refer import Refer
from sipgate.server_transaction import ServerTransaction, Unacknowledged
from sipgate.transport import Address
from sipgate.ways import Way

from .cause import FAULT, GONE, HUNG_UP, LOST, Cause, parse_reason
from .content import SDP, content_of
from .dialogs import Dialogs
from .display import name_addr
from .joint import Side
from .keep_alive import KeepAlive, Outcome, outcome_of
from .leg import HungUp, Junction, LegEvent, Payload, Reply
from .line import Line, MeshLine, address_of
from .referring import Referring
from .refusal import ALLOW, not_done, options, refuse, supported
from .reinvite import Reinvite
from .renewal import Renewal
from .sending import Sending

BYE_PATIENCE = 5.0  # seconds: a party that is gone must not hold the call's end up
PASSED_ON = ("Content-Type", "Content-Disposition", "Info-Package")


class DialogLeg:
    """A dialog with a phone or a node. `tag` is ours."""

    def __init__(self, line: Line, dialogs: Dialogs, call_id: str, tag: str) -> None:
        self.line = line
        self.tag = tag
        self.call_id = call_id
        self.dialog: Dialog | None = None
        self._dialogs = dialogs
        self._junction: Junction | None = None
        self._has_ended = False
        self._reoffering: Reinvite | None = None
        self._presented: str | None = None
        self._origin = Origin()
        self.session = b""
        self.times_sent_on = 0
        self._allowed: frozenset[str] = frozenset()
        self._farewell = FAULT
        self._keep_alive = KeepAlive(line.session_interval)
        self._referring = Referring(line.contact)
        dialogs.enter(call_id, tag, self)

    @property
    def side(self) -> Side:
        """Where the leg leads."""
        return self.line.side

    @property
    def local_host(self) -> str:
        """Our address as the phone sees it."""
        return self.line.local_host

    @property
    def remote_host(self) -> str:
        """The address of the other side."""
        return self.line.remote_host

    @property
    def address(self) -> Address:
        """Where the other side's signalling is."""
        return address_of(self.line.ways()[-1])

    def is_with(self, remote_tag: str) -> bool:
        """Tell whether the other side's tag is this one, and the dialog stands."""
        return self.dialog is not None and not self._has_ended and self.dialog.remote_tag == remote_tag

    def sit(self, junction: Junction) -> None:
        """Tell another call from now on."""
        self._junction = junction
        self._watch_phone()

    def present(self, peer: Peer) -> None:
        """Show a phone who is at the other end; another node is told nothing."""
        if self.side == "phone":
            self._presented = name_addr(peer)

    async def aclose(self) -> None:
        """Forget the dialog; to one that has not ended (the call has failed here) BYE is sent at least."""
        if self.dialog is not None and not self._has_ended:
            bye = self.dialog.make_request("BYE")
            bye.headers.add("Reason", str(self._farewell))
            self.line.seal(bye)
            self.line.sender.request(bye, self.line.ways()[0])
        self._has_ended = True
        self._keep_alive.stop()
        self._dialogs.leave(self.call_id, self.tag)
        self._junction = None  # the call holds its legs: who is in no circle needs no collection

    # -- requests that we send

    async def bye(self, cause: Cause) -> None:
        """End the dialog."""
        if self._has_ended or self.dialog is None:
            return
        self._has_ended = True
        self._keep_alive.stop()
        await self._may_say_bye()
        request = self.dialog.make_request("BYE")
        request.headers.add("Reason", str(cause))
        with suppress(TimeoutError):
            async with asyncio.timeout(BYE_PATIENCE):
                await self._send(request)

    async def _may_say_bye(self) -> None:
        """Wait until RFC 3261 15 lets us: at once for a caller."""

    async def reoffer(self, method: str, sdp: bytes) -> Reply:
        """Change the session."""
        request = self.next_request(method)
        if self.dialog is None or request is None or self._junction is None:
            return Reply(481, "No such call")
        try:
            sdp = self._junction.joint.fit(sdp, self.line, self.session)
        except MediaRefused as refused:
            return Reply(refused.status, refused.reason)
        self.introduce(request)
        self._keep_alive.ask(request)
        request.set_body(SDP, self._origin.follow(sdp))
        response = await (self._send(request) if method == "UPDATE" else self._reinvite(request))
        reply = self._reply(response)
        if reply.is_success:
            self.dialog.refresh_target(response)
            try:
                self.line.check(reply.sdp)
            except MediaRefused as refused:  # the change is made: there is no way back to what was before
                self._leave(Cause(refused.status, refused.reason))
                return Reply(refused.status, refused.reason)
            self.session = reply.sdp or self.session
            self._keep_alive.agreed(response)
        return reply

    def _watch_phone(self) -> None:
        """Find out from now on when the phone is gone. Between nodes the media does, and may have to be found anew."""
        if self._junction is not None and self._keep_alive.is_on:
            self._junction.spawn(self._keep_alive.run(self._refresh, self._lose))
        if self._junction is not None and self._renewal is not None:
            self._junction.spawn(self._renewal.run(self._junction.joint))

    @property
    def _renewal(self) -> Renewal | None:
        """What renews the media's transport; no phone knows of it."""
        return Renewal(self.line, self) if isinstance(self.line, MeshLine) else None

    async def _refresh(self) -> Outcome:
        """Ask the phone whether it is still in the call, in the way that it understands."""
        if self._reoffering is not None:
            return Outcome.LATER
        agreement = self._keep_alive.agreement
        if agreement.has_timer and "UPDATE" not in self._allowed:
            return outcome_of(await self.reoffer("INVITE", self._origin.last), agreement)
        request = self.next_request("UPDATE" if agreement.has_timer else "OPTIONS")
        if request is None:
            return Outcome.LOST
        self.introduce(request)
        if agreement.has_timer:
            self._keep_alive.ask(request)
        response = await self._send(request)
        if agreement.has_timer and response.status < 300:
            self._keep_alive.agreed(response)
        return outcome_of(self._reply(response), agreement)

    async def _lose(self) -> None:
        self._leave(GONE)

    def _leave(self, cause: Cause) -> None:
        """End the call, and say BYE with that cause when it has ended."""
        self._farewell = cause
        self._post(HungUp(self, cause))

    def part(self, cause: Cause) -> None:
        """End the call for this leg's sake."""
        self._farewell = cause
        self._post(self._ended_by_bye(cause))

    def introduce(self, message: Message) -> None:
        """Say where and who we are."""
        message.headers.add("Contact", self.line.contact)
        message.headers.add("Allow", ALLOW)
        message.headers.add("Supported", supported(by_phones=self.side == "phone"))
        if self._presented is not None:
            message.headers.add("P-Asserted-Identity", self._presented)

    async def _reinvite(self, request: Request) -> Response:
        """Send a re-INVITE, and follow it."""
        assert self._junction is not None
        reinvite = self._reoffering = Reinvite(self.line, request, self._acknowledge)
        try:
            return self._as_lost(await reinvite.final(self._junction.spawn), reinvite.sending)
        finally:
            self._reoffering = None

    async def _acknowledge(self, invite: Request, way: Way) -> None:
        assert self.dialog is not None
        ack = self.dialog.make_ack(invite)
        self.line.seal(ack)
        await self.line.sender.send_ack(ack, way)

    async def cancel_reoffer(self) -> None:
        """Take the pending re-INVITE back."""
        if self._reoffering is not None:
            await self._reoffering.cancel()

    async def pass_on(self, method: str, payload: Payload) -> Reply:
        """Send a request that concerns only the two ends."""
        request = self.next_request(method)
        if request is None:
            return Reply(481, "No such call")
        for name, value in payload.headers:
            request.headers.add(name, value)
        request.set_body(request.headers.get("Content-Type"), payload.body)
        return await self.ask(request)

    async def refer(self, refer: Refer, by: str) -> Reply:
        """Ask the other side to call somebody else."""
        return await self._referring.refer(self, refer, by)

    async def report(self, status: int, text: str) -> None:
        """Tell the other side what has become of the transfer it asked for."""
        await self._referring.report(self, status, text)

    def next_request(self, method: str) -> Request | None:
        """Return the next request in the dialog, None when that has ended."""
        return None if self.dialog is None or self._has_ended else self.dialog.make_request(method)

    async def ask(self, request: Request) -> Reply:
        """Send a request; the call ends when the other side has lost it."""
        reply = self._reply(await self._send(request))
        if reply.is_gone:
            self._post(HungUp(self, Cause(reply.status, "The other side has lost the call")))
        return reply

    async def _send(self, request: Request) -> Response:
        self.line.seal(request)
        sending = Sending(self.line.sender, request, self.line.ways())
        response = await sending.final()
        self.line.learn(sending.way)
        return self._as_lost(response, sending)

    def _as_lost(self, response: Response, sending: Sending) -> Response:
        """A phone whose port is closed has lost the call; a connection between nodes may just have broken."""
        is_closed = sending.is_made_up and response.status == 503 and self.side == "phone"
        return reply(sending.request, 408) if is_closed else response

    def _reply(self, response: Response) -> Reply:
        try:
            sdp = content_of(response).sdp
        except (SipError, Refusal):
            sdp = b""
        return Reply(response.status, response.reason, sdp, parse_reason(response.headers.get_all("Reason")))

    # -- requests that come

    async def receive(self, transaction: ServerTransaction) -> None:
        """Answer a request of this dialog."""
        request = transaction.request
        try:
            self.line.admit(request, transaction.flow)
            self._check_order(request)
            response = await self._answer(transaction)
        except Refusal as refusal:
            response = refuse(request, refusal)
        await transaction.respond(response)
        if request.method == "INVITE" and response.status < 300:
            await self._await_ack(transaction)
        elif request.method == "REFER" and response.status < 300:
            await self.report(100, "Trying")

    def _check_order(self, request: Request) -> None:
        """RFC 3261 12.2.2: the right tags, and CSeq only grows."""
        if self.dialog is None or not self.dialog.belongs(request):
            raise Refusal(481, "No such call")
        if not self.dialog.accepts(request):
            raise Refusal(500, "A later request is in already")

    async def _answer(self, transaction: ServerTransaction) -> Response:
        match transaction.request.method:
            case "BYE":
                return self._answer_bye(transaction)
            case "INVITE" | "UPDATE":
                return await self._answer_offer(transaction)
            case "INFO":
                return await self._answer_info(transaction)
            case "OPTIONS":
                return options(transaction.request, self.tag)
            case "REFER":
                return await self._answer_refer(transaction)
            case "NOTIFY":
                return await self._answer_notify(transaction)
            case method:
                raise not_done(method)

    def _answer_bye(self, transaction: ServerTransaction) -> Response:
        request = transaction.request
        cause = parse_reason(request.headers.get_all("Reason"))
        self._post(self._ended_by_bye(cause if cause is not None and cause.text else HUNG_UP))
        return reply(request, 200)

    def _ended_by_bye(self, cause: Cause) -> LegEvent:
        self._has_ended = True
        return HungUp(self, cause)

    async def _answer_offer(self, transaction: ServerTransaction) -> Response:
        request = transaction.request
        if self._junction is None:
            raise Refusal(491, "The call is not answered yet")
        renewal = self._renewal
        if renewal is not None and content_of(request).fragment:
            return await renewal.answer(transaction, self._junction.joint)
        if self._reoffering is not None:
            raise Refusal(491, "Another change is pending")
        self._keep_alive.check(request)
        sdp = content_of(request).sdp
        self.line.check(sdp)
        if self._keep_alive.is_on and "Session-Expires" in request.headers and sdp in (b"", self.session):
            last = b"" if request.method == "UPDATE" and not sdp else self._origin.last
            return self._response(request, Reply(200, "OK", last))
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(self._watch_cancel(transaction, self._junction))
            answered = await self._junction.reoffer(self, request.method, sdp)
            watch.cancel()
        if answered.is_success:
            self.session = sdp or self.session
        return self._response(request, answered)

    async def _watch_cancel(self, transaction: ServerTransaction, junction: Junction) -> None:
        await transaction.cancelled.wait()
        await junction.cancel_reoffer(self)

    async def _answer_info(self, transaction: ServerTransaction) -> Response:
        request = transaction.request
        if self._junction is None:
            raise Refusal(500, "The call is not answered yet")
        headers = [(name, request.headers.get(name)) for name in PASSED_ON]
        payload = Payload(tuple((name, value) for name, value in headers if value is not None), request.body)
        return self._response(request, await self._junction.pass_on(self, "INFO", payload))

    async def _answer_refer(self, transaction: ServerTransaction) -> Response:
        request = transaction.request
        if self._junction is None:
            raise Refusal(500, "The call is not answered yet")
        refer = Refer.of(request)
        answered = await self._junction.refer(self, refer)
        if not answered.is_success:
            return self._response(request, answered)
        return self._referring.accept(request, refer)

    async def _answer_notify(self, transaction: ServerTransaction) -> Response:
        request = transaction.request
        status, text = self._referring.take(request)
        if self._junction is not None:
            await self._junction.reported(self, status, text)
        return reply(request, 200)

    def _response(self, request: Request, answered: Reply) -> Response:
        """Return our response to what the other side has answered."""
        if not answered.is_success:
            text = answered.cause.text if answered.cause is not None else answered.reason
            return refuse(request, Refusal(answered.status if answered.status >= 400 else 480, text))
        response = reply(request, answered.status)
        self.introduce(response)
        if request.method in ("INVITE", "UPDATE"):
            self._keep_alive.accept(request, response)
        if answered.sdp:
            response.set_body(SDP, self._origin.follow(answered.sdp))
        return response

    async def _await_ack(self, transaction: ServerTransaction) -> None:
        await asyncio.wait((transaction.acked,))
        if not transaction.acked.cancelled() and isinstance(transaction.acked.exception(), Unacknowledged):
            self._post(HungUp(self, LOST))

    def _post(self, event: LegEvent) -> None:
        if self._junction is not None:
            self._junction.post(event)
