"""Keep one failing job from ending the node: the one place that catches everything."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

logger = logging.getLogger(__name__)


class Supervisor:
    """Run independent jobs in one group. A job that fails is logged, not contagious."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group

    def start(self, job: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        """Run ``job`` until it ends, or until the group that owns it is cancelled."""
        task = self._group.create_task(self._guard(job, name), name=name)
        task.add_done_callback(
            lambda _: job.close()
        )  # cancelled before its first step, nobody has awaited it
        return task

    async def _guard(self, job: Coroutine[Any, Any, None], name: str) -> None:
        try:
            await job
        except Exception:
            logger.exception("%s failed", name)


def guarded(group: asyncio.TaskGroup, job: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start ``job`` in ``group``; its failure is logged and ends nothing else."""
    return Supervisor(group).start(job, name=name)
