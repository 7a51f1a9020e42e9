"""Hold, resume and other changes of a session: re-INVITE and UPDATE, passed from one leg to the other.

One change at a time in the whole call. A change that meets another is refused: with 491 when it comes from
the other side (RFC 3261 14.2, both then wait a random time), with 500 when the same side did not wait.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from sipgate.ports import MediaRefused

from .cause import Cause
from .joint import Joint
from .leg import HungUp, Leg, LegEvent, Reply

CALL_ENDED = Reply(487, "The call ended")


class Session(Protocol):
    """What a change needs to know of its call."""

    @property
    def joint(self) -> Joint:
        """What turns one side's SDP into the other's."""
        ...

    def other(self, leg: Leg) -> Leg | None:
        """Return the joined leg."""
        ...

    def post(self, event: LegEvent) -> None:
        """Tell the call."""
        ...

    async def confirmed(self) -> bool:
        """Wait for the caller's ACK, which may be just behind a change; tell whether the call stands."""
        ...

    async def wait_ended(self) -> object:
        """Wait until the call is over."""
        ...


class Reoffers:
    """The changes of one call's session."""

    def __init__(self) -> None:
        self._pending: Leg | None = None

    async def relay(self, session: Session, leg: Leg, method: str, sdp: bytes) -> Reply:
        """Pass the offer of `leg` to the other leg; return what to answer."""
        other = session.other(leg)
        if self._pending is leg:
            return Reply(500, "The change before is not answered yet")
        if self._pending is not None or other is None:
            return Reply(491, "Another change is pending")
        if not sdp:
            return self._without_offer(method)
        self._pending = leg
        try:
            if not await session.confirmed():
                return CALL_ENDED
            return await self._exchange(session, leg, other, method, sdp)
        except MediaRefused as refused:
            return Reply(refused.status, refused.reason)
        finally:
            self._pending = None

    async def cancel(self, session: Session, leg: Leg) -> None:
        """Take back the pending change of `leg`."""
        other = session.other(leg)
        if self._pending is leg and other is not None:
            await other.cancel_reoffer()

    @staticmethod
    def _without_offer(method: str) -> Reply:
        """An UPDATE without SDP refreshes a session timer; a re-INVITE without asks us for an offer."""
        if method == "UPDATE":
            return Reply(200, "OK")
        return Reply(488, "A change of the call must bring its own offer")

    async def _exchange(self, session: Session, leg: Leg, other: Leg, method: str, sdp: bytes) -> Reply:
        joint = session.joint
        offer = await joint.offer(joint.side_of(leg), sdp)
        reply = await self._unless_ended(session, other, method, offer)
        if reply.is_gone:
            session.post(HungUp(other, Cause(reply.status, "The other side has lost the call")))
        if not reply.is_success:
            return reply
        return Reply(reply.status, reply.reason, await joint.answer(joint.side_of(other), reply.sdp))

    @staticmethod
    async def _unless_ended(session: Session, other: Leg, method: str, offer: bytes) -> Reply:
        async with asyncio.TaskGroup() as tasks:
            asked = tasks.create_task(other.reoffer(method, offer))
            ended = tasks.create_task(session.wait_ended())
            await asyncio.wait((asked, ended), return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if asked.done():
                return asked.result()
            asked.cancel()
        return CALL_ENDED
