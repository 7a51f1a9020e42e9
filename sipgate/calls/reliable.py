"""The 18x of one INVITE from a phone that wants to confirm them: repeats, waits, and takes PRACKs (RFC 3262)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress

from sipgate.protocol.message import Request, Response
from sipgate.protocol.reliable_provisional import MAX_FIRST_RSEQ, RAck, ReliableSender
from sipgate.protocol.timers import TimerValues


class Reliable:
    """Sends by `respond`; `run` repeats until all is confirmed or nobody confirms it."""

    def __init__(self, invite: Request, respond: Callable[[Response], Awaitable[None]]) -> None:
        self._invite = invite
        self._respond = respond
        self._sender = ReliableSender(1 + secrets.randbelow(MAX_FIRST_RSEQ), TimerValues().t1)
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    @property
    def has_failed(self) -> bool:
        """Tell whether nobody has confirmed for 64*T1."""
        return self._sender.has_failed

    @property
    def is_settled(self) -> bool:
        """Tell whether everything was confirmed."""
        return self._sender.is_settled and not self.has_failed

    async def send(self, response: Response) -> None:
        """Send a response, or let it wait for the PRACK of the one before."""
        await self._put(self._sender.send(response, _now()))

    async def take(self, rack: RAck) -> None:
        """Take a PRACK; raise `SipError` 481 when it confirms nothing."""
        await self._put(self._sender.prack(rack, self._invite, _now()))

    async def settled(self) -> bool:
        """Wait until all is confirmed; tell whether it was."""
        await self._settled.wait()
        return not self.has_failed

    async def run(self) -> None:
        """Repeat what is not confirmed, until it is."""
        while not self._sender.is_settled:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._sender.wake_at):
                    await self._news.wait()
            await self._put(self._sender.wake(_now()))

    def stop(self) -> None:
        """Say nothing more: the INVITE has its final response."""
        self._sender.stop()
        self._note()

    async def _put(self, responses: list[Response]) -> None:
        self._note()
        for response in responses:
            await self._respond(response)

    def _note(self) -> None:
        self._news.set()
        if self._sender.is_settled:
            self._settled.set()
        else:
            self._settled.clear()


def _now() -> float:
    return asyncio.get_running_loop().time()
