"""Calls at 20 kb/s on a line of 64 kb/s that loses 5 % of the packets, with 150 ms each way."""

import asyncio
from pathlib import Path

import pytest

from scripts.bench.lowrate_bench.calling import Outcome, through_nodes, watch
from tests.kit.speech import make_speech

pytestmark = [pytest.mark.interop, pytest.mark.namespaces, pytest.mark.long, pytest.mark.timeout(300)]
SECONDS = 30


async def test_calls_on_a_poor_line_stay_up_and_cost_15_percent_over_the_payload_at_most(
    tmp_path: Path,
) -> None:
    speech = make_speech(tmp_path / "speech.wav", rate=48_000)

    async def outcome(ptime_ms: int) -> Outcome:
        async with through_nodes(ptime_ms, speech) as call:
            return await watch(call, SECONDS)

    async with asyncio.TaskGroup() as group:
        tasks = {ptime_ms: group.create_task(outcome(ptime_ms)) for ptime_ms in (60, 120)}
    for ptime_ms, task in tasks.items():
        assert task.result().up_seconds > SECONDS - 2
        for bill in task.result().bills:
            assert bill.packets == pytest.approx(SECONDS * 1000 / ptime_ms, rel=0.1)
            assert bill.kilobits(bill.payload) == pytest.approx(20, rel=0.1)
            assert bill.tags > 0
            assert bill.percent(bill.overhead) <= 15
            assert bill.kilobits(bill.total) <= 32
            assert bill.lost < 0.15
