"""A B leg that stands already: the call of somebody else takes it over (INVITE with Replaces, RFC 3891)."""

from __future__ import annotations

from collections.abc import Callable

from sipgate.ports import Peer, Refusal

from .borrowed import Borrowed, Lender
from .cause import Cause
from .leg import Answered, Failed, HungUp, Junction, Leg

REPLACED = Cause(200, "The call goes on with somebody else")


class TakenOver(Borrowed):
    """A phone in a call, which is offered a call with `newcomer` in its place. `on_taken` is called when it has it."""

    def __init__(
        self, inner: Leg, lender: Lender, lent_as: Leg, newcomer: Peer, on_taken: Callable[[], None]
    ) -> None:
        super().__init__(inner, lender, lent_as)
        self._newcomer = newcomer
        self._on_taken = on_taken
        self._is_over = False

    async def invite(self, offer: bytes, junction: Junction) -> None:
        """Offer the new session to the phone; the old call goes on if the phone does not take it."""
        self.take(junction)
        self.present(self._newcomer)
        reply = await self.inner.reoffer("INVITE", offer)
        if reply.is_success and not self._is_over:
            junction.post(Answered(self, reply.sdp))
            self._lender.post(HungUp(self._lent_as, REPLACED))
            self._on_taken()
            return
        self.give_back(reply)
        text = reply.cause.text if reply.cause is not None else reply.reason
        junction.post(Failed(self, Refusal(reply.status if reply.status >= 400 else 487, text)))

    async def confirm(self, fragment: bytes | None) -> None:
        """Nothing to confirm: a re-INVITE confirms itself."""

    async def cancel(self, cause: Cause) -> None:  # noqa: ARG002 - the phone has its call still
        """The newcomer gave up."""
        self._is_over = True
        await self.inner.cancel_reoffer()
