"""One call of a browser: between what the page says and what the gateway's handset leg asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from freecall.mesh_media import own_address_towards, refusals, warm_up
from freecall.supervise import Supervisor
from sipgate.handset import HandsetLine
from sipgate.ports import MediaRefused, Peer, Refusal

Tell = Callable[..., None]


class BrowserCall:
    """Satisfies the gateway's `HandsetCall`. `tell(what, **fields)` says something to the page, without waiting.

    `gone` is called when the call is over.
    """

    def __init__(self, tell: Tell, supervisor: Supervisor, gone: Callable[[], None]) -> None:
        from media.browser_phone import BrowserPhone

        self._tell = tell
        self._supervisor = supervisor
        self._gone = gone
        self._line: HandsetLine | None = None
        self._is_over = False
        self._waiting: asyncio.Future[bytes] | None = None
        self._media = BrowserPhone(self._lost, towards=own_address_towards)
        supervisor.start(self._media.run(), name="media of a browser's call")

    @property
    def call(self) -> str:
        """The id that the call has in events; empty while there is none."""
        return self._line.call if self._line is not None else ""

    # -- what the page does

    async def offer(self, sdp: bytes) -> bytes:
        """Return the plain offer of a call that the page begins; raise `MediaRefused`."""
        with refusals():
            return await self._media.offer_from_browser(sdp)

    def answer(self, sdp: bytes) -> None:
        """The page answers the offer that it was sent last."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(sdp)

    def decline(self, status: int = 603, reason: str = "Declined") -> None:
        """The page does not take the call."""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Refusal(status, reason))

    def hang_up(self, status: int = 200, reason: str = "hung up") -> None:
        """The page ends the call."""
        if self._line is not None:
            self._line.hang_up(status, reason)

    def change(self, sdp: bytes) -> None:
        """The page wants to change the session; it hears what became of it."""
        if not self._is_over:
            self._supervisor.start(self._change(sdp), name="change of a browser's call")

    async def _change(self, sdp: bytes) -> None:
        assert self._line is not None
        try:
            with refusals():
                offer = await self._media.offer_from_browser(sdp)
                answer = await self._media.answer_to_browser(await self._line.change(offer))
        except MediaRefused as refused:
            self._tell("unchanged", status=refused.status, reason=refused.reason)
        else:
            self._tell("changed", sdp=answer.decode("latin-1"))

    def _lost(self, status: int, reason: str) -> None:
        self.hang_up(status, reason)
        self.decline(status, reason)

    # -- what the gateway does (sipgate.handset.HandsetCall)

    def take(self, line: HandsetLine) -> None:
        """Note what the call can be told by."""
        self._line = line

    async def ring(self, caller: Peer, offer: bytes) -> bytes:
        """Ring in the page; return its answer."""
        await warm_up()
        return await self._asked(
            "incoming", offer, uri=caller.uri, name=caller.display_name, trust=caller.trust
        )

    async def reoffer(self, offer: bytes) -> bytes:
        """Let the page answer a changed session."""
        try:
            return await self._asked("offer", offer)
        except MediaRefused:
            raise
        except Refusal as refusal:
            raise MediaRefused(refusal.status, refusal.reason) from refusal

    async def _asked(self, what: str, offer: bytes, **fields: Any) -> bytes:
        with refusals():
            sdp = await self._media.offer_to_browser(offer)
            if self._is_over:
                raise Refusal(487, "The call is over")
            self._waiting = asyncio.get_running_loop().create_future()
            self._tell(what, sdp=sdp.decode("latin-1"), **fields)
            return await self._media.answer_from_browser(await self._waiting)

    def present(self, peer: Peer) -> None:
        """Show who is at the other end."""
        self._tell("peer", uri=peer.uri, name=peer.display_name, trust=peer.trust)

    def progress(self, status: int) -> None:
        """It rings there."""
        self._tell("progress", status=status)

    async def answered(self, answer: bytes) -> None:
        """Give the page the answer to its offer."""
        with refusals():
            sdp = await self._media.answer_to_browser(answer)
        self._tell("answered", sdp=sdp.decode("latin-1"))

    async def ended(self, status: int, reason: str) -> None:
        """Tell the page, and free the media."""
        self._is_over = True
        self._gone()
        self._tell("ended", status=status, reason=reason)
        self.decline(487, reason)
        await self._media.aclose()
