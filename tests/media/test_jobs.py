"""Tasks begun before, during and after their owner runs."""

import asyncio
import subprocess
import sys

import pytest

from media.jobs import Jobs


async def test_jobs_begun_before_and_during_the_run_end_with_it() -> None:
    jobs, begun, ended = Jobs(), asyncio.Semaphore(0), []

    async def job() -> None:
        begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    jobs.start(job)
    assert not jobs.is_running
    async with asyncio.TaskGroup() as group:
        group.create_task(jobs.run())
        await begun.acquire()
        jobs.start(job)
        await begun.acquire()
        jobs.stop()
    jobs.start(job)
    assert len(ended) == 2


async def test_a_failing_job_ends_all_and_is_raised() -> None:
    jobs = Jobs()

    async def broken() -> None:
        raise ZeroDivisionError

    jobs.start(broken)
    with pytest.raises(ExceptionGroup) as failed:
        await jobs.run()
    assert failed.group_contains(ZeroDivisionError)


async def test_a_job_that_ends_because_its_owner_was_cancelled_begins_no_other() -> None:
    jobs, begun, others = Jobs(), asyncio.Event(), []

    async def other() -> None:
        others.append(1)

    async def job() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            jobs.start(other)

    jobs.start(job)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(jobs.run())
        await begun.wait()
        running.cancel()
    assert not others


def test_importing_the_package_and_its_values_loads_nothing_heavy() -> None:
    code = (
        "import sys, media, media.ports, media.events, media.errors, media.parties;"
        "sys.exit(bool({'aiortc', 'aioice', 'av', 'asyncio', 'cryptography'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
