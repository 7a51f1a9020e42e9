"""The A leg: a phone or a node invites us."""

from __future__ import annotations

import asyncio
import logging

from sipgate.ports import Refusal
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.errors import SipError
from sipgate.protocol.media_lines import declined, kinds
from sipgate.protocol.message import Response, reply
from sipgate.protocol.reliable_provisional import RAck, requires, wants
from sipgate.server_transaction import ServerTransaction, Unacknowledged

from .cause import CANCELLED, Cause, parse_reason
from .content import FRAGMENT, SDP, content_of
from .dialog_leg import DialogLeg
from .dialogs import Dialogs
from .leg import Acked, Cancelled, Junction, LegEvent, NotAcked
from .line import Line
from .refusal import refuse
from .reliable import Reliable

logger = logging.getLogger(__name__)

UNCONFIRMED = Cause(504, "The phone did not confirm that it rings")


class SipCallerLeg(DialogLeg):
    """We are the UAS."""

    def __init__(
        self, transaction: ServerTransaction, offer: bytes, line: Line, dialogs: Dialogs, tag: str
    ) -> None:
        super().__init__(line, dialogs, transaction.request.call_id, tag)
        self.dialog = Dialog.as_uas(transaction.request, tag)
        self._transaction = transaction
        self._is_answered = False
        self._allowed = frozenset(transaction.request.headers.get_all("Allow"))
        self._said = b""  # our SDP in 18x
        self._reliable = Reliable(transaction.request, transaction.respond)
        self.session = offer

    def watch(self, junction: Junction) -> None:
        """Tell the call about CANCEL from now on."""
        self._junction = junction
        junction.spawn(self._watch_for_cancel(junction))

    async def _watch_for_cancel(self, junction: Junction) -> None:
        reason = await self._transaction.cancelled.wait()
        cancel = self._transaction.cancelled.request
        assert cancel is not None
        try:
            self.line.admit(cancel, None)
        except Refusal:
            logger.info("a CANCEL that its node has not signed is ignored")
            return
        cause = parse_reason([reason] if reason else [])
        junction.post(Cancelled(cause if cause is not None and cause.text else CANCELLED))

    async def ring(self, status: int, sdp: bytes | None, fragment: bytes | None) -> None:
        """Pass an 18x on."""
        response = self._to_invite(status)
        if sdp is not None:
            response.set_body(SDP, self._origin.follow(sdp))
        elif fragment is not None and self.side == "mesh":
            response.set_body(FRAGMENT, fragment)
        if self._is_reliable(has_sdp=sdp is not None) and self._junction is not None:
            self._said = response.body or self._said
            await self._reliable.send(response)
            self._junction.spawn(self._see_it_confirmed(self._junction))
        else:
            await self._transaction.respond(response)

    def _is_reliable(self, *, has_sdp: bool) -> bool:
        """Tell whether an 18x is to be confirmed: each one for a phone that insists, else those that matter."""
        invite = self._transaction.request
        return self.side == "phone" and (requires(invite) or (has_sdp and wants(invite)))

    async def _see_it_confirmed(self, junction: Junction) -> None:
        await self._reliable.run()
        if self._reliable.has_failed and not self._is_answered:
            junction.post(Cancelled(UNCONFIRMED))

    async def answer(self, sdp: bytes) -> None:
        """Answer with 200, and wait beside for its ACK."""
        self._is_answered = True
        assert self._junction is not None
        if self._reliable.is_settled:
            await self._accept(sdp, self._junction)
        else:
            self._junction.spawn(self._accept_when_confirmed(sdp, self._junction))

    async def _accept(self, sdp: bytes, junction: Junction) -> None:
        response = self._to_invite(200)
        self._keep_alive.accept(self._transaction.request, response)
        response.set_body(SDP, self._origin.follow(sdp))
        await self._transaction.respond(response)
        junction.spawn(self._watch_for_ack(junction))
        self._watch_phone()

    async def _accept_when_confirmed(self, sdp: bytes, junction: Junction) -> None:
        """A 2xx must not overtake the answer in an 18x (RFC 3262 3)."""
        if await self._reliable.settled():
            await self._accept(sdp, junction)
        else:
            await self.refuse(Refusal(UNCONFIRMED.status, UNCONFIRMED.text))
            junction.post(NotAcked())

    async def bye(self, cause: Cause) -> None:
        """End the dialog, or the INVITE whose answer is still held back."""
        if self._transaction.is_answered:
            await super().bye(cause)
        elif not self._has_ended:
            await self.refuse(Refusal(max(cause.status, 480), cause.text))

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a final refusal."""
        self._has_ended = True
        self._reliable.stop()
        await self._transaction.respond(refuse(self._transaction.request, refusal, self.tag))

    async def aclose(self) -> None:
        """Forget the dialog; a caller who still waits is refused."""
        self._reliable.stop()
        if not self._has_ended and not self._transaction.is_answered:
            await self.refuse(Refusal(500, "This node has a fault"))
        await super().aclose()

    async def _answer(self, transaction: ServerTransaction) -> Response:
        is_prack = transaction.request.method == "PRACK"
        return await (self._answer_prack(transaction) if is_prack else super()._answer(transaction))

    async def _answer_prack(self, transaction: ServerTransaction) -> Response:
        """Answer PRACK. An offer in it is answered as the first was; if it says more, it is passed on after the ACK."""
        request = transaction.request
        await self._reliable.take(RAck.parse(request.headers.get("RAck") or ""))
        response = reply(request, 200)
        offer = content_of(request).sdp
        if offer:
            fits = kinds(offer) == kinds(self._said)
            response.set_body(SDP, self._said if fits else declined(offer))
            if fits and offer != self.session and self._junction is not None:
                self._junction.spawn(self._pass_late(offer, self._junction))
        return response

    async def _pass_late(self, offer: bytes, junction: Junction) -> None:
        acked = self._transaction.acked
        await asyncio.wait((acked,))
        if not acked.cancelled() and acked.exception() is None:
            await junction.reoffer(self, "UPDATE", offer)
            self.session = offer

    def _to_invite(self, status: int) -> Response:
        response = reply(self._transaction.request, status, tag=self.tag)
        self.introduce(response)
        return response

    async def _watch_for_ack(self, junction: Junction) -> None:
        acked = self._transaction.acked
        await asyncio.wait((acked,))
        if acked.cancelled():
            return
        if isinstance(acked.exception(), Unacknowledged):
            junction.post(NotAcked())
            return
        try:
            self.line.admit(acked.result(), None)
            junction.post(Acked(content_of(acked.result()).fragment or None))
        except (Refusal, SipError):
            junction.post(NotAcked())

    async def _may_say_bye(self) -> None:
        """Wait for the ACK of our 200, or until none can come (RFC 3261 15)."""
        await asyncio.wait((self._transaction.acked,))

    def _ended_by_bye(self, cause: Cause) -> LegEvent:
        """BYE on a dialog that is still early is as good as CANCEL (RFC 3261 15)."""
        return super()._ended_by_bye(cause) if self._is_answered else Cancelled(cause)
