"""How long things take and what they cost; the bounds are wide, the printed numbers are the point (`pytest -s`)."""

import asyncio

import pytest

from tests.interop.conftest import Pair
from tests.kit.site import ended, secured

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.asyncio(loop_scope="session")]
CALLS = 3
OBSERVED_SECONDS = 2.0


async def test_the_times_of_a_call(pair: Pair) -> None:
    clock = asyncio.get_running_loop().time
    ringing, keyed, added = [], [], []
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        for _ in range(CALLS):
            near_rtp, far_rtp = pair.alice.traffic(near), pair.bob.traffic(far)
            start = clock()
            await near.dial(pair.bob.node.uri)
            await near.event("CALL_RINGING", "CALL_PROGRESS")
            ringing.append(clock() - start)
            await far.event("CALL_INCOMING")
            start = clock()
            await far.accept()
            await secured(pair.alice.node, pair.bob.node)
            keyed.append(clock() - start)
            await far_rtp.until_heard(100)
            await near_rtp.until_heard(100)
            await near.hang_up()
            await far.event("CALL_CLOSED")
            await near.event("CALL_ESTABLISHED")
            await ended(pair.alice.node, pair.bob.node)
            for said, heard in ((near_rtp, far_rtp), (far_rtp, near_rtp)):
                arrived = heard.times_heard()
                added += [arrived[p] - at for p, at in said.times_spoken().items() if p in arrived]
    added.sort()
    median, worst = added[len(added) // 2], added[len(added) * 99 // 100]
    print(f"\ndial to ringing    {min(ringing) * 1e3:.0f} to {max(ringing) * 1e3:.0f} ms")
    print(f"answer to signed   {min(keyed) * 1e3:.0f} to {max(keyed) * 1e3:.0f} ms")
    print(f"added per packet   p50 {median * 1e6:.0f} us, p99 {worst * 1e6:.0f} us, {len(added)} packets")
    assert max(ringing) < 2
    assert max(keyed) < 2
    assert median < 0.01


async def test_the_cost_of_a_node(pair: Pair) -> None:
    program = pair.alice.node.program

    async def load() -> float:
        before = program.cpu_seconds()
        await asyncio.sleep(OBSERVED_SECONDS)
        return (program.cpu_seconds() - before) / OBSERVED_SECONDS

    idle, idle_rss = await load(), program.rss_bytes()
    async with pair.alice.phone() as near, pair.bob.phone() as far:
        await near.dial(pair.bob.node.uri)
        await far.event("CALL_INCOMING")
        await far.accept()
        await secured(pair.alice.node, pair.bob.node)
        busy, busy_rss = await load(), program.rss_bytes()
        await near.hang_up()
        await ended(pair.alice.node, pair.bob.node)
    print(f"\nidle     {idle:.1%} of a core, {idle_rss / 1e6:.0f} MB")
    print(f"in call  {busy:.1%} of a core, {busy_rss / 1e6:.0f} MB")
    assert idle < 0.1
    assert busy < 0.5
    assert busy_rss < 300e6
