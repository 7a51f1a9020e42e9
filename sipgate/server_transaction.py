"""A request that came in, as its user sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .protocol.message import Request, Response
from .protocol.transaction import Transaction
from .transport import Flow


class Unacknowledged(Exception):
    """The caller never confirmed the answer (no ACK within 64*T1, RFC 3261 13.3.1.4): end the dialog."""


class Cancellation:
    """Whether the caller took the INVITE back. `request` is the CANCEL; it has been answered already."""

    def __init__(self) -> None:
        self.request: Request | None = None
        self._event = asyncio.Event()

    def is_set(self) -> bool:
        """Tell whether a CANCEL came while the INVITE had no final response."""
        return self._event.is_set()

    @property
    def reason(self) -> str | None:
        """The value of the CANCEL's Reason header (RFC 3326), if it has one."""
        return None if self.request is None else self.request.headers.get("Reason")

    async def wait(self) -> str | None:
        """Wait for the CANCEL; return its `reason`. The user must then answer the INVITE with 487."""
        await self._event.wait()
        return self.reason

    def tell(self, cancel: Request) -> None:
        """Take the CANCEL; the first one counts."""
        if self.request is None:
            self.request = cancel
            self._event.set()


class ServerTransaction:
    """A request to answer. `flow` is the way it came; requests back to the same party may go there.

    `request` is as it came, but for what we noted in its top Via (`received`, `rport`).
    """

    def __init__(
        self,
        transaction: Transaction[Flow],
        flow: Flow,
        respond: Callable[[ServerTransaction, Response], None],
        acked: asyncio.Future[Request],
    ) -> None:
        self.request: Request = transaction.request
        self.flow = flow
        self.cancelled = Cancellation()
        self.acked: asyncio.Future[Request] = acked
        self.transaction = transaction
        self._respond = respond

    @property
    def is_answered(self) -> bool:
        """Whether a final response was given."""
        return self.transaction.has_final

    @property
    def is_accepted(self) -> bool:
        """Whether it is an INVITE that was answered with a 2xx."""
        return self.transaction.accepted

    async def respond(self, response: Response) -> None:
        """Send a response: 1xx any number of times, then a final one.

        A 2xx to an INVITE is repeated until its ACK, which `acked` then holds; without one `acked` raises
        `Unacknowledged` after 64*T1. `acked` is cancelled when the INVITE ends in another way. What comes
        after the final response is not sent.
        """
        self._respond(self, response)
