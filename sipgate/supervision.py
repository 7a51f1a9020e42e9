"""Who guards the tasks that serve requests: a parameter, so that the application brings its own guard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias

Supervise: TypeAlias = Callable[[asyncio.TaskGroup, Coroutine[Any, Any, None], str], asyncio.Task[None]]
"""Starts a job, with a name for the logs, in a group, and decides what its failure means for the others."""


def in_the_group(group: asyncio.TaskGroup, job: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """Start a job without any guard: its failure ends the group."""
    return group.create_task(job, name=name)
