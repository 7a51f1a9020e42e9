"""A request that we sent, as its user sees it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable

from .protocol.message import Request, Response
from .protocol.transaction import Transaction
from .protocol.transaction_events import Cause
from .transport import Flow

MAX_WAITING_RESPONSES = 64


class ClientTransaction:
    """A request on its way, and the responses to it.

    `request` is what is or will be sent, with our Via. `failure` says why the final response was made up
    here: "timeout" (408), "transport" (503), "cancelled" (487), "overload" (503); None for a real one.
    """

    def __init__(
        self,
        request: Request,
        cancel: Callable[[ClientTransaction, tuple[tuple[str, str], ...]], None],
        final: asyncio.Future[Response],
    ) -> None:
        self.request = request
        self.failure: Cause | None = None
        self.transaction: Transaction[Flow] | None = None
        self.cancel_headers: tuple[tuple[str, str], ...] | None = None
        self._cancel = cancel
        self._final = final
        self._waiting: deque[Response] = deque()
        self._news = asyncio.Event()
        self._ended = False

    @property
    def flow(self) -> Flow | None:
        """The way the request went; None until there is a connection."""
        return None if self.transaction is None else self.transaction.path

    @property
    def is_finished(self) -> bool:
        """Whether there is a final response."""
        return self._final.done()

    async def responses(self) -> AsyncIterator[Response]:
        """Yield each response as it comes: provisional ones, then the final one.

        After a 2xx to an INVITE its repetitions follow (send the ACK again for each), and the 2xx of other
        branches, for 64*T1. One reader only. A reader who is too slow misses old provisional responses.
        """
        while True:
            while self._waiting:
                yield self._waiting.popleft()
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()

    async def final(self) -> Response:
        """Wait for the first final response.

        It is made up here (see `failure`) when the other side is silent (408), cannot be reached (503) or
        does not react to a CANCEL (487).
        """
        return await asyncio.shield(self._final)

    async def cancel(self, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Take an INVITE back (RFC 3261 9.1); without effect once there is a final response.

        The CANCEL goes out as soon as the first provisional response is in. `reason` becomes its Reason
        header (RFC 3326), `headers` are added to it. The final response, 487 in general, comes in the usual
        way; a 2xx may still cross the CANCEL.
        """
        extra = (*headers, *([("Reason", reason)] if reason is not None else []))
        if not self.is_finished and self.cancel_headers is None:
            self.cancel_headers = extra
            self._cancel(self, extra)

    def push(self, response: Response) -> None:
        """Take a response from the endpoint."""
        if len(self._waiting) >= MAX_WAITING_RESPONSES:
            self._waiting.popleft()
        self._waiting.append(response)
        if response.status >= 200 and not self._final.done():
            self._final.set_result(response)
        self._news.set()

    def end(self) -> None:
        """No response can come any more."""
        self._ended = True
        self._final.cancel()
        self._news.set()
