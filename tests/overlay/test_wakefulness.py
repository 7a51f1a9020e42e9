"""A machine that slept: its node is back in the mesh at once, and has forgotten what has expired."""

import asyncio
import time

from overlay.lab.virtual_time import run
from overlay.wakefulness import CHECK_SECONDS, seconds_since_boot, watch

from .swarm import Swarm, claim_of


def test_sleep_is_noticed_once_and_a_busy_loop_is_no_sleep() -> None:
    slept: list[float] = []
    ahead = 0.0

    async def on_wake(seconds: float) -> None:
        slept.append(seconds)

    async def main() -> None:
        nonlocal ahead
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            task = group.create_task(watch(lambda: loop.time() + ahead, on_wake))
            for more in (0.0, 3600.0, 2.0, 0.0, 60.0):
                ahead += more
                await asyncio.sleep(3 * CHECK_SECONDS)
            task.cancel()

    run(main())
    assert [round(seconds) for seconds in slept] == [3600, 62]


def test_the_clock_since_boot_goes_at_the_pace_of_time() -> None:
    began, started = seconds_since_boot(), time.monotonic()
    while seconds_since_boot() == began:
        assert time.monotonic() - started < 1
    assert 0 < seconds_since_boot() - began < 1


async def test_after_sleep_old_values_are_gone_and_our_own_are_published_anew() -> None:
    async with Swarm() as swarm:
        bob = await swarm.start()
        alice = await swarm.start()
        await alice.overlay.publish_claim("sip:alice@mesh", claim_of(alice.key))
        await bob.overlay.publish_claim("sip:bob@mesh", claim_of(bob.key))
        store = alice.overlay._protocol.store_of_records
        assert len(store) == 2
        sequence = (await bob.overlay.resolve("sip:alice@mesh")).claims[0].seq
        await alice.overlay._membership.wake_up(7200)
        store.expire(asyncio.get_running_loop().time())
        assert len(store) == 1

        async def renewed() -> int:
            return (await bob.overlay.resolve("sip:alice@mesh")).claims[0].seq

        assert await renewed() > sequence
