"""A transfer that our user orders without a REFER of the phone: whatever phone, browser or service it is."""

from __future__ import annotations

import asyncio

from sipgate.ports import Refusal

from .borrowed import Borrowed
from .leg import Reply
from .standing import Standing

DONE = 200
LEFT = Reply(480, "Your call is over, and it is not known yet what became of the transfer")


class ByOrder(Borrowed):
    """Our user's leg of a call, as the one that asks for a transfer: what is reported comes here, and to no phone.

    `consulted` is the other call of our user, in an attended transfer.
    """

    def __init__(self, standing: Standing, consulted: Standing | None) -> None:
        super().__init__(standing.leg, standing.call, standing.leg)
        self.consulted = consulted
        self._call = standing.call
        self._outcome: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

    async def report(self, status: int, text: str) -> None:
        """Take what became of it; final from 200 on."""
        if status >= DONE:
            self._settle(Reply(status, text))

    def _settle(self, outcome: Reply) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)

    async def carried_out(self) -> None:
        """Wait until they are there; raise `Refusal` when they could not be sent, or the call ends before."""
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(self._watch())
            outcome = await self._outcome
            watch.cancel()
        if outcome.status != DONE:
            raise Refusal(outcome.status if outcome.status >= 300 else 480, outcome.reason)

    async def _watch(self) -> None:
        await self._call.wait_ended()
        self._settle(LEFT)
