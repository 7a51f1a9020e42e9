"""The requests of a node that wait for an answer: matched by transaction id, address and type, given up in time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from .protocol.round_trip import HARD
from .protocol.wire import Answer

MAX_OUTSTANDING = 2000


@dataclass
class _Waiting:
    future: asyncio.Future[Answer | None]
    address: tuple[str, int]
    expects: tuple[type, ...]
    sent: float
    deadline: asyncio.TimerHandle


class Outstanding:
    """At most 2,000 requests, each for as long as `round_trip.HARD`."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_full(self) -> bool:
        """True when no more may be sent."""
        return len(self._waiting) >= MAX_OUTSTANDING

    def awaits(self, transaction_id: bytes) -> bool:
        """True while an answer with that id may come."""
        return transaction_id in self._waiting

    async def answer(
        self,
        transaction_id: bytes,
        address: tuple[str, int],
        expects: tuple[type, ...],
        send: Callable[[], bool],
    ) -> Answer | None:
        """Send a request by ``send`` and return its answer; None when it could not be sent or none came in time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer | None] = loop.create_future()
        deadline = loop.call_later(HARD, self._give_up, transaction_id)
        self._waiting[transaction_id] = _Waiting(future, address, expects, loop.time(), deadline)
        if not send():
            self._give_up(transaction_id)
        try:
            return await future
        finally:
            if self._waiting.pop(transaction_id, None) is not None:
                deadline.cancel()

    def match(self, transaction_id: bytes, answer: Answer, address: tuple[str, int]) -> float | None:
        """Give an answer to who waits for it; return how many seconds it took, None when nobody asked that there."""
        waiting = self._waiting.get(transaction_id)
        if waiting is None or waiting.address != address or not isinstance(answer, waiting.expects):
            return None
        del self._waiting[transaction_id]
        waiting.deadline.cancel()
        if not waiting.future.done():
            waiting.future.set_result(answer)
        return asyncio.get_running_loop().time() - waiting.sent

    def close(self) -> None:
        """Give up all."""
        for transaction_id in list(self._waiting):
            self._give_up(transaction_id)

    def _give_up(self, transaction_id: bytes) -> None:
        waiting = self._waiting.pop(transaction_id, None)
        if waiting is not None:
            waiting.deadline.cancel()
            if not waiting.future.done():
                waiting.future.set_result(None)
