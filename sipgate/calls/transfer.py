"""The transfers of one call: a party asks that the one beyond calls somebody else (RFC 3515, RFC 5589).

The node whose phone is sent on carries it out; any other passes it on over the mesh. One at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sipgate.ports import Refusal
from sipgate.protocol.refer import Refer

from .borrowed import innermost
from .leg import Leg, Reply
from .sent_on import SentOn

UNDER_WAY = Reply(491, "A transfer of this call is under way already")
SUCCESS = 200


class Exchange(Protocol):
    """What transfers need of all calls of the node; each raises `Refusal`."""

    async def send_on(self, transferor: Leg, phone: Leg, refer: Refer) -> SentOn:
        """Call the target for `phone`, which is in a call with `transferor`."""
        ...

    async def for_mesh(self, transferor: Leg, refer: Refer) -> tuple[Refer, str]:
        """Return what to ask the other node for, and in whose name."""
        ...

    def succeeded(self, transferor: Leg, target: str) -> None:
        """The other node has carried a transfer out."""
        ...


class Transfers:
    """What has been asked for in one call."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._is_asking = False
        self._sent_on: SentOn | None = None
        self._passed_on: tuple[Leg, str] | None = None  # who has asked, for which target

    @property
    def _is_under_way(self) -> bool:
        return (
            self._is_asking
            or self._passed_on is not None
            or (self._sent_on is not None and self._sent_on.is_under_way)
        )

    async def refer(self, joined: Sequence[tuple[Leg, Leg]], leg: Leg, refer: Refer) -> Reply:
        """Do or pass on what the other side of `leg` asks for; return what to answer.

        `joined` gives each leg with the one that it is joined with, when both are confirmed.
        """
        other = next((beyond for mine, beyond in joined if innermost(mine) is innermost(leg)), None)
        if other is None:
            return Reply(491, "Only a call that stands can be transferred")
        if self._is_under_way:
            return UNDER_WAY
        self._is_asking = True
        try:
            if other.side == "mesh":
                return await self._pass_on(leg, other, refer)
            self._sent_on = await self._exchange.send_on(leg, other, refer)
        except Refusal as refusal:
            return Reply(refusal.status, refusal.reason)
        finally:
            self._is_asking = False
        return Reply(202, "Accepted")

    async def _pass_on(self, leg: Leg, other: Leg, refer: Refer) -> Reply:
        asked, by = await self._exchange.for_mesh(leg, refer)
        self._passed_on = leg, str(asked.target)
        answer = await other.refer(asked, by)
        if not answer.is_success:
            self._passed_on = None
        return answer

    async def reported(self, status: int, text: str) -> None:
        """Pass on what the other node tells of a transfer."""
        if self._passed_on is None:
            return
        transferor, target = self._passed_on
        if status >= SUCCESS:
            self._passed_on = None
        if status == SUCCESS:
            self._exchange.succeeded(transferor, target)
        await transferor.report(status, text)

    async def left(self, leg: Leg) -> None:
        """The other side of `leg` has hung up: a phone that it has sent on goes on without it."""
        if self._sent_on is not None and innermost(self._sent_on.transferor) is innermost(leg):
            await self._sent_on.transferor_left()
