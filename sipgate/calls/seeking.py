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
        self._timer: asyncio.TimerHandle | None = None

    @property
    def target(self) -> str:
        """The URI that is looked for."""
        return self._search.target

    def begin(self, post: Post, group: asyncio.TaskGroup) -> None:
        """Look; `post` hears what comes of it. The task belongs to `group`."""
        self._task = group.create_task(_seek(self._search, self.joint, post))

    def limit(self, seconds: float | None, post: Post) -> None:
        """From now on the callee has so long to be found and to answer; None: as long as it takes."""
        self._cancel_timer()
        if seconds is not None:
            late = Stopped(Input.TIMEOUT, Cause(480, "Nobody answered in time"))
            self._timer = asyncio.get_running_loop().call_later(seconds, post, late)

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
        self._cancel_task()
        await self.joint.aclose()
        self.joint = Joint(self._call)

    def stop(self) -> None:
        """Look no longer, and watch neither the media nor the time."""
        self._cancel_task()
        self._cancel_timer()

    def _cancel_task(self) -> None:
        if self._task is not None:
            self._task.cancel()
            self._task = None  # with what it has seen

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def _seek(search: Search, joint: Joint, post: Post) -> None:
    try:
        post(await search.find(joint))
    except Refusal as refusal:
        post(NotFound(refusal))
    else:
        if joint.media is not None:
            post(Stopped(Input.MEDIA_FAILED, Cause(*await joint.media.failed())))
