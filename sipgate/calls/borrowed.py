"""A leg of one call that another call takes over: for a transfer the phone stays, and its call changes.

The leg belongs to the *old call*, which lends it: `Call.lend`, `Call.take_back`. It says what happens to whoever sits
at its junction, so the new call sits down there when it takes the leg.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Protocol

from sipgate.ports import Peer
from sipgate.protocol.refer import Refer

from .cause import Cause
from .joint import Joint, Side
from .leg import HungUp, Junction, Leg, LegEvent, Payload, Reply


class Lender(Protocol):
    """What a borrower sees of the old call."""

    def lend(self, leg: Leg) -> None:
        """Say nothing to that leg any more."""
        ...

    def take_back(self, leg: Leg) -> None:
        """The leg is the call's own again."""
        ...

    def post(self, event: LegEvent) -> None:
        """Tell the call what has happened."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside, as long as the call stands."""
        ...

    async def wait_ended(self) -> object:
        """Wait until the call is over."""
        ...


@dataclass(frozen=True)
class Seat:
    """The new call, as the borrowed leg sees it: the call knows the leg as `leg`."""

    junction: Junction
    leg: Borrowed

    @property
    def joint(self) -> Joint:
        """The joint of the call."""
        return self.junction.joint

    def post(self, event: LegEvent) -> None:
        """Pass on what has happened."""
        self.junction.post(self.leg.hung_up(event.cause) if isinstance(event, HungUp) else event)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside."""
        self.junction.spawn(work)

    async def reoffer(self, leg: Leg, method: str, sdp: bytes) -> Reply:  # noqa: ARG002 - known as another
        """Pass a changed session on."""
        return await self.junction.reoffer(self.leg, method, sdp)

    async def cancel_reoffer(self, leg: Leg) -> None:  # noqa: ARG002 - known as another
        """Take it back."""
        await self.junction.cancel_reoffer(self.leg)

    async def pass_on(self, leg: Leg, method: str, payload: Payload) -> Reply:  # noqa: ARG002 - known as another
        """Pass INFO and the like on."""
        return await self.junction.pass_on(self.leg, method, payload)

    async def refer(self, leg: Leg, refer: Refer) -> Reply:  # noqa: ARG002 - known as another
        """Pass a transfer on."""
        return await self.junction.refer(self.leg, refer)

    async def reported(self, leg: Leg, status: int, text: str) -> None:  # noqa: ARG002 - known as another
        """Pass on what became of a transfer."""
        await self.junction.reported(self.leg, status, text)


class Borrowed:
    """The part that both roles share: once taken, a leg like any other."""

    def __init__(self, inner: Leg, lender: Lender, lent_as: Leg) -> None:
        self.inner = inner
        self._lender = lender
        self._lent_as = lent_as
        self._is_taken = False

    @property
    def side(self) -> Side:
        """Where the leg leads."""
        return self.inner.side

    @property
    def session(self) -> bytes:
        """What the other side has said last."""
        return self.inner.session

    @property
    def local_host(self) -> str:
        """Our address as the phone sees it."""
        return self.inner.local_host

    @property
    def remote_host(self) -> str:
        """The phone's address."""
        return self.inner.remote_host

    def sit(self, junction: Junction) -> None:
        """Sit down at the leg again."""
        self.inner.sit(Seat(junction, self))

    def hung_up(self, cause: Cause) -> LegEvent:
        """Return what the new call is told when the other side hangs up."""
        return HungUp(self, cause)

    def present(self, peer: Peer) -> None:
        """Show the phone who is called."""
        self.inner.present(peer)

    def take(self, junction: Junction) -> None:
        """Take the leg out of the old call, into that of `junction`."""
        self._is_taken = True
        self._lender.lend(self._lent_as)
        self.sit(junction)

    def give_back(self, reply: Reply) -> None:
        """Put the leg back into the old call, which ends if the leg is gone according to `reply`."""
        self._is_taken = False
        self._lender.take_back(self._lent_as)
        if reply.is_gone:
            self._lender.post(HungUp(self._lent_as, Cause(reply.status, "The phone has lost the call")))

    async def bye(self, cause: Cause) -> None:
        """End the leg, if it is ours."""
        if self._is_taken:
            await self.inner.bye(cause)

    async def reoffer(self, method: str, sdp: bytes) -> Reply:
        """Change the session."""
        return await self.inner.reoffer(method, sdp)

    async def cancel_reoffer(self) -> None:
        """Take the pending change back."""
        await self.inner.cancel_reoffer()

    async def pass_on(self, method: str, payload: Payload) -> Reply:
        """Send a request that concerns only the two ends."""
        return await self.inner.pass_on(method, payload)

    async def refer(self, refer: Refer, by: str) -> Reply:
        """Ask the other side to call somebody else."""
        return await self.inner.refer(refer, by)

    async def report(self, status: int, text: str) -> None:
        """Tell the other side what became of its transfer."""
        await self.inner.report(status, text)

    async def aclose(self) -> None:
        """Forget the dialog, if it is ours."""
        if self._is_taken:
            await self.inner.aclose()


def innermost(leg: Leg) -> Leg:
    """Return the leg itself, however often it has been taken over."""
    while isinstance(leg, Borrowed):
        leg = leg.inner
    return leg
