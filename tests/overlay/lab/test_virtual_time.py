"""Time that jumps."""

import asyncio
import time

import pytest

from overlay.lab.virtual_time import Deadlock, run


def test_a_day_passes_at_once() -> None:
    async def sleep() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    began = time.perf_counter()
    assert run(sleep()) == pytest.approx(86_400)
    assert time.perf_counter() - began < 5


def test_timers_fire_in_order_and_time_outs_hold() -> None:
    async def both() -> list[str]:
        order: list[str] = []
        loop = asyncio.get_running_loop()
        loop.call_later(2, order.append, "later")
        loop.call_later(1, order.append, "sooner")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await asyncio.Event().wait()
        assert loop.time() == pytest.approx(3)
        return order

    assert run(both()) == ["sooner", "later"]


def test_waiting_for_what_never_comes_is_an_error_and_not_an_endless_wait() -> None:
    async def forever() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="nothing is scheduled"):
        run(forever())


def test_what_a_callback_raises_ends_the_run() -> None:
    async def live() -> None:
        asyncio.get_running_loop().call_later(1, int, "no number")
        await asyncio.sleep(10)

    with pytest.raises(ValueError, match="no number"):
        run(live())
