"""Background tasks have one owner."""

import asyncio

import pytest

from overlay.jobs import Jobs


async def test_what_still_runs_at_the_end_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with Jobs() as jobs:
        jobs.start(endless())
        await asyncio.sleep(0)
    assert cancelled.is_set()


async def test_before_and_after_nothing_begins_and_nothing_is_left_unawaited() -> None:
    async def job() -> None:
        raise AssertionError("it ran")

    jobs = Jobs()
    jobs.start(job())
    async with jobs:
        jobs.cancel()
        jobs.start(job())
    jobs.start(job())


async def test_a_fault_of_a_job_comes_out_of_the_block() -> None:
    async def faulty() -> None:
        raise ZeroDivisionError

    async def work() -> None:
        async with Jobs() as jobs:
            jobs.start(faulty())
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await work()
    assert caught.group_contains(ZeroDivisionError)
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_the_callers_own_error_stays_as_it_is() -> None:
    async def work() -> None:
        async with Jobs() as jobs:
            jobs.start(asyncio.sleep(60))
            raise KeyError

    with pytest.raises(KeyError):
        await work()


@pytest.mark.parametrize("owner_is_cancelled", [True, False])
async def test_a_job_is_cancelled_once_and_may_take_its_time_to_clean_up(owner_is_cancelled: bool) -> None:
    cleaned, began = asyncio.Event(), asyncio.Event()

    async def careful() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    async def work() -> None:
        async with Jobs() as jobs:
            jobs.start(careful())
            await began.wait()
            if owner_is_cancelled:
                await asyncio.Event().wait()
            jobs.cancel()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(work())
        await began.wait()
        if owner_is_cancelled:
            task.cancel()
    assert cleaned.is_set()
