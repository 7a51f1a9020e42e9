"""A re-INVITE that we send (RFC 3261 14.1): its answer is confirmed as often as it is repeated, or it is taken back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import Any

from sipgate.protocol.message import Request, Response, reply
from sipgate.ways import Way

from .cause import CANCELLED
from .line import Line
from .sending import Sending

PATIENCE = 32.0  # seconds, 64*T1: no person has to answer a change, so a phone that only says 100 is stuck


class Reinvite:
    """One of them, over `line`. `acknowledge` confirms a 2xx by the way that it came."""

    def __init__(
        self, line: Line, request: Request, acknowledge: Callable[[Request, Way], Awaitable[None]]
    ) -> None:
        line.seal(request)
        self.sending = Sending(line.sender, request, line.ways())
        self._line = line
        self._acknowledge = acknowledge
        self._final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

    async def final(self, spawn: Callable[[Coroutine[Any, Any, None]], None]) -> Response:
        """Return the final response, 408 when there is none in time. `spawn` runs what goes on beside."""
        spawn(self._follow())
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._final
        except TimeoutError:
            return reply(self.sending.request, 408)
        finally:
            if self._final.cancelled():  # the patience is over, or the call
                await self.cancel()

    async def _follow(self) -> None:
        async with aclosing(self.sending.responses()) as responses:
            async for response in responses:
                if 200 <= response.status < 300:
                    await self._acknowledge(self.sending.request, self.sending.way)
                if response.status >= 200 and not self._final.done():
                    self._final.set_result(response)

    async def cancel(self) -> None:
        """Take it back."""
        request = self.sending.request
        await self.sending.cancel(str(CANCELLED), self._line.cancel_headers(request))
