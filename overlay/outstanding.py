"""The requests of a node that wait for an answer: matched by transaction id, address and type, given up in time.

Some are sent again until then, at intervals that double, as STUN's are (RFC 8489, 6.2.1). Each time has a transaction
id of its own, so that it is known what was answered, and how soon (as of QUIC's packets, RFC 9002, 4.2).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from .protocol.round_trip import HARD
from .protocol.wire import Answer

MAX_OUTSTANDING = 2000

Answered = tuple[bytes, Answer]
"""The transaction id that was answered, and the answer."""


@dataclass
class _Waiting:
    future: asyncio.Future[Answered | None]
    address: tuple[str, int]
    expects: tuple[type, ...]
    sent: dict[bytes, float] = field(default_factory=dict)
    """When it was sent, by transaction id."""
    timers: list[asyncio.TimerHandle] = field(default_factory=list)


class Outstanding:
    """At most 2,000 requests, each for as long as `round_trip.HARD`.

    ``new_id`` makes transaction ids; ``on_round_trip`` is told how many seconds an address took to answer.
    """

    def __init__(
        self, new_id: Callable[[], bytes], on_round_trip: Callable[[tuple[str, int], float], None]
    ) -> None:
        self._new_id = new_id
        self._on_round_trip = on_round_trip
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
        address: tuple[str, int],
        expects: tuple[type, ...],
        send: Callable[[bytes], bool],
        repeat_after: float | None = None,
    ) -> Answered | None:
        """Send a request by ``send``; return what answers it, None when it could not be sent or nothing came in time.

        It is sent again after ``repeat_after`` seconds, after twice that, and so on; with None it is not.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(loop.create_future(), address, expects)
        waiting.timers.append(loop.call_later(HARD, self._end, waiting))

        def send_once(pause: float | None) -> None:
            transaction_id = self._new_id()
            self._waiting[transaction_id] = waiting
            waiting.sent[transaction_id] = loop.time()
            if not send(transaction_id):
                self._end(waiting)
            elif pause is not None:
                waiting.timers.append(loop.call_later(pause, send_once, 2 * pause))

        send_once(repeat_after)
        try:
            return await waiting.future
        finally:
            self._end(waiting)

    def match(self, transaction_id: bytes, answer: Answer, address: tuple[str, int]) -> bool:
        """Give an answer to who waits for it; False when nobody asked that there."""
        waiting = self._waiting.get(transaction_id)
        if waiting is None or waiting.address != address or not isinstance(answer, waiting.expects):
            return False
        self._on_round_trip(address, asyncio.get_running_loop().time() - waiting.sent[transaction_id])
        self._end(waiting, (transaction_id, answer))
        return True

    def close(self) -> None:
        """Give up all."""
        for waiting in list(self._waiting.values()):
            self._end(waiting)

    def _end(self, waiting: _Waiting, answered: Answered | None = None) -> None:
        for transaction_id in waiting.sent:
            self._waiting.pop(transaction_id, None)
        for timer in waiting.timers:
            timer.cancel()
        if not waiting.future.done():
            waiting.future.set_result(answered)
