"""An A leg that stands already: a phone whose other party has asked for it to call somebody else (RFC 3515)."""

from __future__ import annotations

from collections.abc import Callable

from sipgate.ports import MediaRefused, Refusal
from sipgate.protocol.transfer import START, Action, Input, State, step

from .borrowed import Borrowed, Lender
from .cause import Cause
from .joint import Joint
from .leg import Acked, Cancelled, HungUp, Junction, Leg, LegEvent, Reply

TRANSFERRED = Cause(200, "Call transferred")
NOT_TAKEN = "The phone did not take the new call"


class SentOn(Borrowed):
    """The transferee's phone, in the call with the target. `transferor` leads to who has sent it there.

    `on_joined` is called when the phone is in the new call.
    """

    def __init__(
        self, inner: Leg, lender: Lender, lent_as: Leg, transferor: Leg, on_joined: Callable[[], None]
    ) -> None:
        super().__init__(inner, lender, lent_as)
        self.state = START[0]
        self.transferor = transferor
        self._on_joined = on_joined
        self._junction: Junction | None = None
        self._refusal = Refusal(480, "The call could not be transferred")
        self._refused = Reply(480, "")

    @property
    def is_under_way(self) -> bool:
        """Tell whether it is not decided yet."""
        return self.state not in (State.JOINED, State.FAILED)

    def watch(self, junction: Junction) -> None:
        """Note the new call, and watch the old one."""
        self._junction = junction
        junction.spawn(self._watch_old_call())

    async def _watch_old_call(self) -> None:
        await self._lender.wait_ended()
        await self._take(Input.PHONE_LEFT if not self._is_taken else Input.TRANSFEROR_LEFT)

    async def transferor_left(self) -> None:
        """Who has sent the phone on has hung up, as many do at once."""
        await self._take(Input.TRANSFEROR_LEFT)

    def hung_up(self, cause: Cause) -> LegEvent:
        """Before the target has picked up, hanging up is taking the call back."""
        return Cancelled(cause) if self.state is State.CALLING_ALONE else super().hung_up(cause)

    async def ring(self, status: int, sdp: bytes | None, fragment: bytes | None) -> None:  # noqa: ARG002
        """The phone still talks: only who has sent it is told. Early media is left out."""
        if self._junction is not None and not self._is_taken:
            self._junction.spawn(self.transferor.report(status, "Ringing"))

    async def answer(self, sdp: bytes) -> None:
        """The target has picked up: offer its session to the phone, beside; the call hears how it went."""
        await self._take(Input.ANSWER)
        if self._junction is not None:
            self._junction.spawn(self._join(sdp, self._junction))

    async def _join(self, sdp: bytes, junction: Junction) -> None:
        reply = await self._offer(sdp, junction.joint)
        if reply.is_success:
            junction.post(Acked())
            self._on_joined()
            await self._take(Input.TAKEN)
            return
        self._refused = reply
        self._refusal = _refusal(reply)
        await self._take(Input.NOT_TAKEN)
        junction.post(HungUp(self, Cause(self._refusal.status, NOT_TAKEN)))

    async def _offer(self, sdp: bytes, joint: Joint) -> Reply:
        """Offer the phone what the target has answered; what the phone answers only says where it listens now."""
        reply = await self.inner.reoffer("INVITE", sdp)
        try:
            if reply.is_success:
                await joint.answer(joint.side_of(self), reply.sdp)
        except MediaRefused as refused:
            return Reply(refused.status, refused.reason)
        return reply

    async def refuse(self, refusal: Refusal) -> None:
        """The target cannot be had: the old call goes on, if there is one."""
        self._refusal = refusal
        await self._take(Input.REFUSED)

    async def _take(self, given: Input) -> None:
        self.state, actions = step(self.state, given)
        for action in actions:
            await self._act(action)

    async def _act(self, action: Action) -> None:
        assert self._junction is not None
        match action:
            case Action.LEND:
                self.take(self._junction)
            case Action.GIVE_BACK:
                self.give_back(self._refused)
            case Action.HANG_UP:
                await self.inner.bye(Cause(self._refusal.status, self._refusal.reason))
            case Action.REPORT_SUCCESS:
                await self.transferor.report(200, "OK")
            case Action.REPORT_FAILURE:
                self._lender.spawn(self.transferor.report(self._refusal.status, self._refusal.reason))
            case Action.END_OLD_CALL:
                self._lender.post(HungUp(self._lent_as, TRANSFERRED))
            case Action.CANCEL:
                self._junction.post(Cancelled(Cause(487, "The phone that was sent on has hung up")))

    async def aclose(self) -> None:
        """Forget the dialog, if it is ours; what is not decided has failed."""
        if self.is_under_way:
            await self._fall_through()
        await super().aclose()

    async def _fall_through(self) -> None:
        """The new call has ended in the middle: the phone hung up, or this node ended it."""
        if self._is_taken:
            self._lender.post(HungUp(self._lent_as, TRANSFERRED))
        else:
            await self._take(Input.REFUSED)


def _refusal(reply: Reply) -> Refusal:
    text = reply.cause.text if reply.cause is not None else reply.reason
    return Refusal(reply.status if reply.status >= 400 else 480, text)
