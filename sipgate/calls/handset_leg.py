"""A leg to a handset: a phone of one of our users that speaks no SIP, such as a browser. Offers and answers only."""

from __future__ import annotations

import asyncio

from sipgate.handset import HandsetCall
from sipgate.ports import MediaRefused, Peer, Refusal
from sipgate.protocol.refer import Refer

from .cause import CANCELLED, HUNG_UP, Cause
from .joint import Side
from .leg import Acked, Answered, Cancelled, Failed, HungUp, Junction, Payload, Progress, Reply
from .line import LOOPBACK

REOFFER_SECONDS = 10.0


class HandsetLeg:
    """A leg, or B leg when there is a `caller` to show. `session` is what the handset has said last."""

    side: Side = "phone"
    local_host = remote_host = LOOPBACK
    address = None

    def __init__(self, call: HandsetCall, caller: Peer | None = None, session: bytes = b"") -> None:
        self.session = session
        self.times_sent_on = 0
        self._call = call
        self._caller = caller
        self._junction: Junction | None = None
        self._is_joined = caller is not None
        self._has_hung_up = False
        self._has_ended = False
        call.take(self)

    # -- what the handset does (sipgate.handset.HandsetLine)

    @property
    def call(self) -> str:
        """The id of the call that the handset is in."""
        return self._junction.joint.call if self._junction is not None else ""

    def hang_up(self, status: int = HUNG_UP.status, reason: str = HUNG_UP.text) -> None:
        """Hang up, or take the own call back while nobody has answered."""
        self._has_hung_up = True
        if self._junction is not None and not self._has_ended:
            cause = Cause(status, reason)
            self._junction.post(HungUp(self, cause) if self._is_joined else Cancelled(CANCELLED))

    async def change(self, offer: bytes) -> bytes:
        """Offer a changed session to the other side."""
        if self._junction is None or self._has_ended:
            raise MediaRefused(481, "The call is over")
        reply = await self._junction.reoffer(self, "INVITE", offer)
        if not reply.is_success:
            raise MediaRefused(reply.status, reply.reason)
        self.session = offer
        return reply.sdp

    # -- what the call does

    def watch(self, junction: Junction) -> None:
        """Tell the call from now on."""
        self._junction = junction
        if self._has_hung_up:
            junction.post(Cancelled(CANCELLED))

    def sit(self, junction: Junction) -> None:
        """Belong to another call."""
        self._junction = junction

    def present(self, peer: Peer) -> None:
        """Show who is at the other end."""
        self._call.present(peer)

    async def ring(self, status: int, sdp: bytes | None, fragment: bytes | None) -> None:  # noqa: ARG002
        """Tell that it rings; early media is left out."""
        self._call.progress(status)

    async def answer(self, sdp: bytes) -> None:
        """The callee has picked up."""
        assert self._junction is not None
        self._is_joined = True
        try:
            await self._call.answered(sdp)
        except MediaRefused as refused:
            self._junction.post(HungUp(self, Cause(refused.status, refused.reason)))
            return
        self._junction.post(HungUp(self, HUNG_UP) if self._has_hung_up else Acked())

    async def refuse(self, refusal: Refusal) -> None:
        """The call did not come about."""
        await self._end(refusal.status, refusal.reason)

    async def invite(self, offer: bytes, junction: Junction) -> None:
        """Ring until somebody picks up, declines, or the call is taken back."""
        assert self._caller is not None
        self._junction = junction
        junction.post(Progress(self, 180))
        try:
            self.session = await self._call.ring(self._caller, offer)
        except Refusal as refusal:
            await self._end(refusal.status, refusal.reason)
            junction.post(Failed(self, refusal))
        else:
            junction.post(Answered(self, self.session))

    async def confirm(self, fragment: bytes | None) -> None:
        """Nothing to confirm."""

    async def cancel(self, cause: Cause) -> None:
        """The caller gave up, or another phone was quicker."""
        await self._end(cause.status, cause.text)

    async def bye(self, cause: Cause) -> None:
        """The call is over."""
        await self._end(cause.status, cause.text)

    async def reoffer(self, method: str, sdp: bytes) -> Reply:  # noqa: ARG002 - one way to answer
        """Let the handset answer a changed session."""
        try:
            async with asyncio.timeout(REOFFER_SECONDS):
                self.session = await self._call.reoffer(sdp)
        except MediaRefused as refused:
            return Reply(refused.status, refused.reason)
        except TimeoutError:
            return Reply(500, "The browser did not answer in time")
        return Reply(200, "OK", self.session)

    async def cancel_reoffer(self) -> None:
        """The answer is on its way already."""

    async def pass_on(self, method: str, payload: Payload) -> Reply:  # noqa: ARG002 - none is known
        """A handset knows no INFO; keys come to it within the media (RFC 4733)."""
        return Reply(415, "This phone understands no such message")

    async def refer(self, refer: Refer, by: str) -> Reply:  # noqa: ARG002 - never asked: its node sends it on itself
        """Not asked: the node calls the target for it."""
        return Reply(603, "This phone cannot be asked")

    async def report(self, status: int, text: str) -> None:
        """A handset asks for no transfer."""

    async def aclose(self) -> None:
        """Free the handset's side."""
        await self._end(500, "The call ended through a fault of this node")

    async def _end(self, status: int, reason: str) -> None:
        if not self._has_ended:
            self._has_ended = True
            await self._call.ended(status, reason)
