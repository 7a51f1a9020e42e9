"""Requests that wait for an answer, in virtual time."""

import asyncio
from itertools import count

import pytest

from overlay.lab.virtual_time import run
from overlay.outstanding import Outstanding
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.round_trip import HARD
from overlay.protocol.wire import Pong

HERE, ELSEWHERE = ("45.0.0.1", 7350), ("45.0.0.2", 7350)
PONG = Pong(Endpoint(*HERE), bytes(8), b"", b"")
ROUND_TRIP = 0.4


async def asked(
    repeat_after: float | None, answered: int | None
) -> tuple[list[float], list[float], int | None]:
    """Send a request, of which the time with the number ``answered`` arrives, and is answered twice.

    Return when it was sent, the round trips that were learnt, and which time was answered.
    """
    loop, numbers = asyncio.get_running_loop(), count()
    sent: list[float] = []
    learnt: list[float] = []
    outstanding = Outstanding(
        lambda: bytes([next(numbers)]), lambda _address, seconds: learnt.append(seconds)
    )

    def send(transaction_id: bytes) -> bool:
        sent.append(loop.time())
        if transaction_id[0] == answered:
            for address in (ELSEWHERE, HERE, HERE):
                loop.call_later(ROUND_TRIP, outstanding.match, transaction_id, PONG, address)
        return True

    found = await outstanding.answer(HERE, (Pong,), send, repeat_after)
    assert not len(outstanding)
    await asyncio.sleep(2 * HARD)
    return sent, learnt, None if found is None else found[0][0]


@pytest.mark.parametrize(
    ("repeat_after", "answered", "sent"),
    [
        (None, 0, [0.0]),
        (None, None, [0.0]),
        (0.5, 0, [0.0]),
        (0.3, 0, [0.0, 0.3]),
        (0.3, 1, [0.0, 0.3]),
        (0.3, 2, [0.0, 0.3, 0.9]),
        (0.3, 3, [0.0, 0.3, 0.9, 2.1]),
        (0.3, None, [0.0, 0.3, 0.9, 2.1]),
    ],
)
def test_a_request_is_sent_again_at_doubling_intervals_until_any_of_them_is_answered(
    repeat_after: float | None, answered: int | None, sent: list[float]
) -> None:
    found_sent, learnt, which = run(asked(repeat_after, answered))
    assert found_sent == pytest.approx(sent)
    assert learnt == pytest.approx([] if answered is None else [ROUND_TRIP])
    assert which == answered
