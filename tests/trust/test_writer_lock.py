"""One writer at a time; a dead one holds nothing."""

import asyncio
import sys
from pathlib import Path

import pytest

from trust.errors import KeyringError
from trust.writer_lock import writer_lock


async def test_two_tasks_take_turns(tmp_path: Path) -> None:
    inside = 0

    async def write() -> None:
        nonlocal inside
        async with writer_lock(tmp_path / "lock"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(write())


async def test_a_holder_that_never_lets_go_is_told(tmp_path: Path) -> None:
    async with writer_lock(tmp_path / "lock"):
        with pytest.raises(KeyringError, match="Another program"):
            async with writer_lock(tmp_path / "lock", deadline_seconds=0.05):
                pass


async def test_a_killed_process_holds_nothing(tmp_path: Path) -> None:
    script = "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, 2); print(flush=True); input()"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        script,
        str(tmp_path / "lock"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    with pytest.raises(KeyringError):
        async with writer_lock(tmp_path / "lock", deadline_seconds=0.05):
            pass
    process.kill()
    await process.communicate()
    async with writer_lock(tmp_path / "lock"):
        pass
