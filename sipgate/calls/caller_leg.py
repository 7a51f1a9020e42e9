"""The A leg: a phone or a node invites us."""

from __future__ import annotations

import asyncio
import logging

from sipgate.ports import Refusal
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Response, reply
from sipgate.server_transaction import ServerTransaction, Unacknowledged

from .cause import CANCELLED, Cause, parse_reason
from .content import FRAGMENT, SDP, content_of
from .dialog_leg import DialogLeg
from .dialogs import Dialogs
from .leg import Acked, Cancelled, Junction, LegEvent, NotAcked
from .line import Line
from .refusal import refuse

logger = logging.getLogger(__name__)


class SipCallerLeg(DialogLeg):
    """We are the UAS."""

    def __init__(self, transaction: ServerTransaction, line: Line, dialogs: Dialogs, tag: str) -> None:
        super().__init__(line, dialogs, transaction.request.call_id, tag)
        self.dialog = Dialog.as_uas(transaction.request, tag)
        self._transaction = transaction
        self._is_answered = False
        self.session = content_of(transaction.request).sdp

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
        await self._transaction.respond(response)

    async def answer(self, sdp: bytes) -> None:
        """Answer with 200, and wait beside for its ACK."""
        self._is_answered = True
        response = self._to_invite(200)
        response.set_body(SDP, self._origin.follow(sdp))
        await self._transaction.respond(response)
        assert self._junction is not None
        self._junction.spawn(self._watch_for_ack(self._junction))

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a final refusal."""
        self._has_ended = True
        await self._transaction.respond(refuse(self._transaction.request, refusal, self.tag))

    async def aclose(self) -> None:
        """Forget the dialog; a caller who still waits is refused."""
        if not self._has_ended and not self._is_answered:
            await self.refuse(Refusal(500, "This node has a fault"))
        await super().aclose()

    def _to_invite(self, status: int) -> Response:
        response = reply(self._transaction.request, status, tag=self.tag)
        self._introduce(response)
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
