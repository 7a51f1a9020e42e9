"""A B leg: we invite a phone or a node, in the caller's name."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass, field

from sipgate.ports import MediaRefused, Refusal
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response
from sipgate.protocol.reliable_provisional import ReliableReceiver, requires
from sipgate.ways import Way

from .cause import CANCELLED, ELSEWHERE, Cause
from .content import FRAGMENT, content_of
from .dialog_leg import DialogLeg
from .dialogs import Dialogs
from .leg import Answered, Failed, Junction, Progress
from .line import Line
from .refusal import refusal_of
from .sending import Sending

SILENT_PROGRESS = (100, 199)
MAX_EARLY = 8


@dataclass(frozen=True)
class Invitation:
    """What the INVITE says, beside the offer. `from_` is a name-addr without tag."""

    request_uri: str
    from_: str
    to: str
    call_id: str
    max_forwards: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class EarlyDialog:
    """A dialog with a phone that wants its 18x confirmed; `sdp` is what it has answered in them."""

    dialog: Dialog
    received: ReliableReceiver = field(default_factory=ReliableReceiver)
    sdp: bytes = b""


class SipCalleeLeg(DialogLeg):
    """We are the UAC. `carrier` is how the INVITE goes from one way to the next."""

    carrier: type[Sending] = Sending

    def __init__(self, line: Line, dialogs: Dialogs, tag: str, invitation: Invitation) -> None:
        super().__init__(line, dialogs, invitation.call_id, tag)
        self._invitation = invitation
        self._sending: Sending | None = None
        self._invite: Request | None = None
        self._way: Way | None = None
        self._ack: Request | None = None
        self._cancelled = False
        self._early: dict[str, EarlyDialog] = {}
        self._offer = self._srtp = b""

    async def invite(self, offer: bytes, junction: Junction) -> None:
        """Invite, and follow what comes of it."""
        self._junction = junction
        if self._cancelled:
            junction.post(Failed(self, Refusal(487, CANCELLED.text)))
            return
        try:
            fitting = junction.joint.fit(offer, self.line)
        except MediaRefused as refusal:
            junction.post(Failed(self, refusal))
            return
        self._offer = offer
        if await self._try(self._request(fitting, 1), junction):
            await self._try(self._request(self._srtp or fitting, 2), junction)

    async def _try(self, invite: Request, junction: Junction) -> bool:
        """Send an INVITE and follow it; tell whether it is to be sent again, with what was asked for."""
        self._invite = invite
        self._sending = self.carrier(self.line.sender, invite, self.line.ways())
        async with aclosing(self._sending.responses()) as responses:
            async for response in responses:
                if response.status < 200:
                    self._progress(response, junction)
                elif response.status < 300:
                    await self._success(response, self._sending.way, junction)
                elif invite.cseq.number == 1 and await self._may_ask_again(response):
                    return True
                else:
                    self._fail(response, junction, is_made_up=self._sending.is_made_up)
        return False

    async def _may_ask_again(self, response: Response) -> bool:
        """Tell whether a refusal asks for something that the next INVITE can give."""
        if self._cancelled:
            return False
        if response.status == 488:
            return self._has_srtp()
        try:
            return response.status == 422 and self._keep_alive.raise_to(response)
        except SipError:
            return False

    def _has_srtp(self) -> bool:
        """Make an offer of SRTP for a phone that takes no other; tell whether there is one, and it may see the keys.

        On loopback a phone is offered plain RTP, which all of them take but one that is set up to insist on SRTP.
        """
        if self.side != "phone" or self.line.must_encrypt or self._junction is None:
            return False
        joint = self._junction.joint
        self.line.must_encrypt = joint.media is not None
        try:
            self._srtp = joint.fit(self._offer, self.line)
        except MediaRefused:
            self.line.must_encrypt = False
        return self.line.must_encrypt

    def _request(self, offer: bytes, number: int) -> Request:
        invitation = self._invitation
        request = Request("INVITE", invitation.request_uri)
        for name, value in (
            ("Max-Forwards", str(invitation.max_forwards)),
            ("From", f"{invitation.from_};tag={self.tag}"),
            ("To", invitation.to),
            ("Call-ID", invitation.call_id),
            ("CSeq", f"{number} INVITE"),
            *invitation.headers,
        ):
            request.headers.add(name, value)
        self.introduce(request)
        self._keep_alive.ask(request)
        request.set_body(*self._body(self._origin.follow(offer)))
        self.line.seal(request)
        return request

    def _body(self, offer: bytes) -> tuple[str, bytes]:
        return "application/sdp", offer

    def _progress(self, response: Response, junction: Junction) -> None:
        if response.status in SILENT_PROGRESS:
            return
        try:
            if self.side == "phone" and requires(response) and not self._confirm_early(response):
                return
            content = content_of(response)
            self.line.check(content.sdp)
        except (SipError, Refusal):
            return  # the 18x says that it rings, but nothing else that we can use
        junction.post(Progress(self, response.status, content.sdp or None, content.fragment or None))

    def _confirm_early(self, response: Response) -> bool:
        """Send PRACK for a response that is new; tell whether it is. Raise `SipError`."""
        assert self._invite is not None
        assert self._sending is not None
        tag = response.to.tag or ""
        if tag not in self._early:
            if len(self._early) >= MAX_EARLY:
                return False
            self._early[tag] = EarlyDialog(Dialog.as_uac(self._invite, response))
        early = self._early[tag]
        rack = early.received.take(response)
        if rack is None:
            return False
        early.sdp = content_of(response).sdp or early.sdp
        prack = early.dialog.make_request("PRACK")
        prack.headers.add("RAck", str(rack))
        self.line.seal(prack)
        self.line.sender.request(prack, self._sending.way)
        return True

    def _check_order(self, request: Request) -> None:
        if self.dialog is None and (request.from_.tag or "") in self._early:
            raise Refusal(491, "The call is not answered yet")
        super()._check_order(request)

    async def _success(self, response: Response, way: Way, junction: Junction) -> None:
        """Take the first 2xx; confirm it again when it is repeated; hang up on those of further branches."""
        assert self._invite is not None
        if self.dialog is None:
            self.line.learn(way)
            self._way = way
            sdp, refused = b"", None
            try:
                early = self._early.get(response.to.tag or "")
                if early is not None:
                    sdp = early.sdp
                    early.dialog.confirm(response)
                self.dialog = early.dialog if early is not None else Dialog.as_uac(self._invite, response)
                sdp = content_of(response).sdp or sdp
                self.line.check(sdp)
            except MediaRefused as unencrypted:
                refused = unencrypted
            except (SipError, Refusal):
                sdp = b""
            self.session = sdp
            self._allowed = frozenset(response.headers.get_all("Allow"))
            self._keep_alive.agreed(response)
            junction.post(Answered(self, sdp, refused.reason if refused is not None else ""))
        elif response.to.tag == self.dialog.remote_tag:
            if self._ack is not None:
                await self.line.sender.send_ack(self._ack, way)
        else:
            await self._hang_up_branch(Dialog.as_uac(self._invite, response), way)

    async def _hang_up_branch(self, dialog: Dialog, way: Way) -> None:
        """Somebody beyond the other side forked the call, and a second one answered."""
        assert self._invite is not None
        ack = dialog.make_ack(self._invite)
        self.line.seal(ack)
        await self.line.sender.send_ack(ack, way)
        bye = dialog.make_request("BYE")
        bye.headers.add("Reason", str(ELSEWHERE))
        self.line.seal(bye)
        self.line.sender.request(bye, way)

    def _fail(self, response: Response, junction: Junction, *, is_made_up: bool) -> None:
        who = "phone" if self.side == "phone" else "node"
        junction.post(Failed(self, refusal_of(response, is_made_up=is_made_up, who=who)))

    async def confirm(self, fragment: bytes | None) -> None:
        """ACK; an answer whose headers cannot be read cannot be confirmed."""
        if self.dialog is None or self._invite is None or self._way is None:
            return
        self._ack = self.dialog.make_ack(self._invite)
        if fragment is not None:
            self._ack.set_body(FRAGMENT, fragment)
        self.line.seal(self._ack)
        await self.line.sender.send_ack(self._ack, self._way)
        self._watch_phone()

    async def cancel(self, cause: Cause) -> None:
        """CANCEL, as soon as there is something to cancel."""
        self._cancelled = True
        if self._sending is not None:
            headers = self.line.cancel_headers(self._sending.request)
            await self._sending.cancel(str(cause), headers)
