"""Finding the callee of a call, and again when it is forwarded; its media is watched from there on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from sipgate.call_rules import Forwarded
from sipgate.ports import Refusal
from sipgate.protocol.b2bua import Input

from .cause import Cause
from .happenings import Callee, NotFound, Search, Stopped
from .joint import Joint

Post: TypeAlias = Callable[[Callee | NotFound | Stopped], None]


class Seeking:
    """Looks for the callee, with a joint of its own for each one that is looked for."""

    def __init__(self, call: str, search: Search) -> None:
        self.joint = Joint(call)
        self._call = call
        self._search = search
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None

    @property
    def target(self) -> str:
        """The URI that is looked for."""
        return self._search.target

    def begin(self, post: Post, group: asyncio.TaskGroup) -> None:
        """Look; `post` hears what comes of it. The task belongs to `group`."""
        self._task = group.create_task(_seek(self._search, self.joint, post))

    def limit(self, seconds: float | None, post: Post, group: asyncio.TaskGroup) -> None:
        """From now on the callee has so long to be found and to answer; None: as long as it takes."""
        _cancel(self._timer)
        self._timer = None
        if seconds is not None:
            self._timer = group.create_task(_time_out(seconds, post))

    def forward(self, forwarded: Forwarded, *, is_heard: bool) -> Refusal | None:
        """Look for somebody else when `begin` is called again; return why not, if that is not to be done.

        `is_heard` tells that the phone has an early answer from where the call went first.
        """
        if is_heard:
            return Refusal(480, forwarded.reason)
        try:
            self._search = self._search.forwarded(forwarded)
        except Refusal as refusal:
            return refusal
        return None

    async def give_up(self) -> None:
        """Free the media of the one who was called before."""
        _cancel(self._task)
        await self.joint.aclose()
        self.joint = Joint(self._call)

    def stop(self) -> None:
        """Look no longer, and watch neither the media nor the time."""
        _cancel(self._task)
        _cancel(self._timer)
        self._task = self._timer = None  # with what they have seen


def _cancel(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()


async def _seek(search: Search, joint: Joint, post: Post) -> None:
    try:
        post(await search.find(joint))
    except Refusal as refusal:
        post(NotFound(refusal))
    else:
        if joint.media is not None:
            post(Stopped(Input.MEDIA_FAILED, Cause(*await joint.media.failed())))


async def _time_out(seconds: float, post: Post) -> None:
    await asyncio.sleep(seconds)
    post(Stopped(Input.TIMEOUT, Cause(480, "Nobody answered in time")))
