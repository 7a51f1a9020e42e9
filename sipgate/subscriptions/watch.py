"""The presence of somebody else, as our phones see it: one subscription in the mesh for all who watch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from sipgate.calls.node import Node
from sipgate.ports import LocalUser, Refusal
from sipgate.protocol import pidf
from sipgate.protocol.pidf import Presence

from .resource import Listeners, View
from .subscribe import Subscriber

FIRST_WAIT = 5.0  # seconds until it is tried again, doubled each time
LAST_WAIT = 300.0
AWAY = Presence(is_open=False)
_NOT_THERE = frozenset({408, 480, 481, 500, 503})


class Watch:
    """What is known of `target`. Seen only while both sides know each other: until then it is pending.

    A known person whose node cannot be reached is closed. Tried again for as long as anybody watches.
    """

    def __init__(self, node: Node, user: LocalUser, target: str, looking: asyncio.Semaphore) -> None:
        self._node = node
        self._user = user
        self._target = target
        self._looking = looking
        self._presence: Presence | None = None
        self._subscriber: Subscriber | None = None
        self._listeners = Listeners()
        self._nobody = asyncio.Event()
        self._again = asyncio.Event()

    @property
    def is_over(self) -> bool:
        """Whether the last listener has gone: who comes now needs another watch."""
        return self._nobody.is_set()

    def view(self) -> View:
        """Return the document; while pending it says closed, as a phone may show it."""
        presence = self._presence
        document = pidf.compose(self._target, presence or AWAY)
        return View(is_granted=presence is not None, content_type=pidf.CONTENT_TYPE, body=document)

    def join(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each change; return what ends that, and the watch with the last one."""
        leave = self._listeners.join(listener)

        def left() -> None:
            leave()
            if not self._listeners:
                self._nobody.set()

        return left

    def try_again(self) -> None:
        """There is a reason to believe that it works now."""
        self._again.set()

    async def run(self) -> None:
        """Watch until nobody wants to know any more."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch())
            await self._nobody.wait()
            if self._subscriber is not None:
                await self._subscriber.leave()
            watching.cancel()

    async def _watch(self) -> None:
        wait = FIRST_WAIT
        while not self.is_over:
            self._again.clear()
            if await self._subscribe():
                wait = FIRST_WAIT
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._again.wait()
            wait = min(2 * wait, LAST_WAIT)

    async def _subscribe(self) -> bool:
        """Subscribe until that ends; tell whether anything was seen."""
        self._seen = False
        try:
            async with self._looking:
                peer = await self._node.directory.resolve(self._target)
            if not peer.known:
                self._tell(None)
                return False
            self._subscriber = Subscriber(self._node, self._user, peer, self._target, self._tell)
        except Refusal as refusal:
            self._tell(AWAY if refusal.status in _NOT_THERE else None)
            return False
        try:
            await self._subscriber.run()
        finally:
            ended, self._subscriber = self._subscriber, None
        self._tell(AWAY if ended.status in _NOT_THERE or not ended.status else None)
        return self._seen

    def _tell(self, presence: Presence | None) -> None:
        self._seen |= presence is not None
        if presence != self._presence:
            self._presence = presence
            self._listeners.tell()


class Watches:
    """All that our phones watch in the mesh, by (user, canonical URI); `start` runs a watch."""

    def __init__(self, node: Node, start: Callable[[Coroutine[Any, Any, None], str], object]) -> None:
        self._node = node
        self._start = start
        self._looking = asyncio.Semaphore(node.limits.watches_looking)
        self._watches: dict[tuple[str, str], Watch] = {}

    def of(self, user: LocalUser, target: str) -> Watch:
        """Return the watch of a target, begun if need be; raise `Refusal` 503 when there are too many."""
        key = (user.uri, target)
        if key not in self._watches or self._watches[key].is_over:
            if len(self._watches) >= self._node.limits.watches:
                raise Refusal(503, "This node watches as many people as it can")
            self._watches[key] = Watch(self._node, user, target, self._looking)
            self._start(self._run(key, self._watches[key]), "watch")
        return self._watches[key]

    def try_again(self, target: str) -> None:
        """Somebody has been heard of: a call, or their own subscription."""
        for (_, watched), watch in self._watches.items():
            if watched == target:
                watch.try_again()

    def __len__(self) -> int:
        return len(self._watches)

    async def _run(self, key: tuple[str, str], watch: Watch) -> None:
        try:
            await watch.run()
        finally:
            if self._watches.get(key) is watch:
                del self._watches[key]
