"""What the caller is told before anybody picks up: 18x, early media, and the callee's transport."""

from __future__ import annotations

from collections.abc import Callable

from sipgate.events import CallRinging, Direction, GatewayEvent
from sipgate.ports import MediaRefused, Peer

from .joint import Joint
from .leg import CallerLeg, Progress

RINGING = 180
FORWARDED = 181


class Ringing:
    """Passes 18x on, once for each status and early answer."""

    def __init__(
        self,
        call: str,
        direction: Direction,
        caller: CallerLeg,
        on_event: Callable[[GatewayEvent], None],
    ) -> None:
        self._call = call
        self._direction = direction
        self._caller = caller
        self._on_event = on_event
        self._rung: set[tuple[int, bytes | None]] = set()

    @property
    def has_answered(self) -> bool:
        """Whether the caller has been given an early answer: another one would not be for this dialog."""
        return any(sdp is not None for _, sdp in self._rung)

    async def forward(self) -> None:
        """Tell that the call goes on to somebody else, whose phones have not rung yet."""
        self._rung.clear()
        await self._caller.ring(FORWARDED, None, None)

    async def ring(self, progress: Progress, peer: Peer, joint: Joint) -> None:
        """Pass an 18x on, if it says something new; the media begins when the caller has heard."""
        await self._pass_on(progress, peer, joint)
        if progress.fragment is not None:
            await joint.take_fragment(progress.fragment)

    async def _pass_on(self, progress: Progress, peer: Peer, joint: Joint) -> None:
        sdp = await self._early_answer(progress, peer, joint)
        if (progress.status, sdp) in self._rung:
            return
        rings_first = progress.status == RINGING and not any(status == RINGING for status, _ in self._rung)
        fragment = joint.fragment() if not self._rung and sdp is None and peer.known else None
        self._rung.add((progress.status, sdp))
        await self._caller.ring(progress.status, sdp, fragment)
        if rings_first:
            self._on_event(CallRinging(self._call))

    async def _early_answer(self, progress: Progress, peer: Peer, joint: Joint) -> bytes | None:
        """Turn an early answer; one that cannot be served is left out, for the final one decides.

        A stranger gets none: the answer for the mesh says where we are, and that waits until somebody picks up.
        """
        if not progress.sdp or (self._direction == "in" and not peer.known):
            return None
        try:
            return await joint.answer(joint.side_of(progress.leg), progress.sdp)
        except MediaRefused:
            return None
