"""Finding the callee of a call, and again when it is forwarded; its media is watched from there on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from sipgate.call_rules import Forwarded
from sipgate.ports import Refusal
from sipgate.protocol.b2bua import Input

from .cause import Cause
from .happenings import Callee, NotFound, Search, Stopped
from .joint import Joint


class Seeking:
    """Looks for the callee, with a joint of its own for each one that is looked for. `post` hears of it."""

    def __init__(
        self, call: str, search: Search, post: Callable[[Callee | NotFound | Stopped], None]
    ) -> None:
        self.joint = Joint(call)
        self._call = call
        self._search = search
        self._post = post
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.Task[None] | None = None

    @property
    def target(self) -> str:
        """The URI that is looked for."""
        return self._search.target

    def begin(self, group: asyncio.TaskGroup) -> None:
        """Look; the task belongs to `group`."""
        self._task = group.create_task(self._seek(self._search, self.joint))

    def limit(self, seconds: float | None, group: asyncio.TaskGroup) -> None:
        """From now on the callee has so long to be found and to answer; None: as long as it takes."""
        self._cancel(self._timer)
        self._timer = None if seconds is None else group.create_task(self._time_out(seconds))

    async def _time_out(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._post(Stopped(Input.TIMEOUT, Cause(480, "Nobody answered in time")))

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
        self._cancel(self._task)
        await self.joint.aclose()
        self.joint = Joint(self._call)

    def stop(self) -> None:
        """Look no longer, and watch neither the media nor the time."""
        self._cancel(self._task)
        self._cancel(self._timer)

    @staticmethod
    def _cancel(task: asyncio.Task[None] | None) -> None:
        if task is not None:
            task.cancel()

    async def _seek(self, search: Search, joint: Joint) -> None:
        try:
            self._post(await search.find(joint))
        except Refusal as refusal:
            self._post(NotFound(refusal))
        else:
            if joint.media is not None:
                self._post(Stopped(Input.MEDIA_FAILED, Cause(*await joint.media.failed())))
