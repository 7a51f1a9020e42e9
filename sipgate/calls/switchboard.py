"""All calls of the node: their caps, their numbers, their lives."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from sipgate.events import Direction
from sipgate.ports import Refusal
from sipgate.protocol.message import Request

from .call import Call
from .exchange import CallExchange
from .happenings import Search
from .leg import CallerLeg
from .node import Node

logger = logging.getLogger(__name__)

DEFAULT_HOPS = 70
CALLERS_PATIENCE = 5.0  # seconds that the caller's node waits longer, so that the callee's words arrive


class Switchboard:
    """Begins calls and keeps them. `start` runs a call in a task that its owner looks after, or raises `Refusal`.

    `own_hosts` gives the names that phones have for this node.
    """

    def __init__(
        self,
        node: Node,
        start: Callable[[Coroutine[Any, Any, None], str], object],
        own_hosts: Callable[[], set[str]],
    ) -> None:
        self.calls: dict[str, Call] = {}
        self.users: dict[str, str] = {}
        self.exchange = CallExchange(node, self, own_hosts)
        self._node = node
        self._start = start
        self._users: Counter[str] = Counter()
        self._peers: Counter[bytes] = Counter()
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_words = ""

    def check_room(self, user: str, peer: bytes | None) -> None:
        """Raise `Refusal` when there are too many calls, in all, of this user, or from this node; or all are ended."""
        limits = self._node.limits
        if self.is_ending:
            raise Refusal(503, self._last_words)
        if len(self.calls) >= limits.calls:
            raise Refusal(503, "This node carries as many calls as it can")
        if self._users[user] >= limits.calls_per_user:
            raise Refusal(486, "This user has as many calls as one user can have")
        if peer is not None and self._peers[peer] >= limits.calls_per_peer:
            raise Refusal(486, "Too many calls come from this node")

    @property
    def is_ending(self) -> bool:
        """Whether all calls are being ended, and no more begin."""
        return bool(self._last_words)

    def calls_beside(self, user: str) -> int:
        """Return how many calls a user (a URI) has beside the one that asks."""
        return max(0, self._users[user] - 1)

    def connect(
        self,
        direction: Direction,
        caller: CallerLeg,
        target: str,
        search: Search,
        user: str,
        peer: bytes | None,
    ) -> Call:
        """Begin a call; `check_room` has been asked. Raises `Refusal` when the node stops."""
        limits = self._node.limits
        call = Call(
            self._node.token()[:12],
            direction=direction,
            caller=caller,
            target=target,
            search=search,
            ring_timeout=limits.ring_timeout + (CALLERS_PATIENCE if direction == "out" else 0),
            on_event=self._node.on_event,
            exchange=self.exchange,
        )
        self._start(self._carry(call, user, peer), f"call {call.id}")
        self.calls[call.id] = call
        self.users[call.id] = user
        self._users[user] += 1
        if peer is not None:
            self._peers[peer] += 1
        self._idle.clear()
        return call

    async def _carry(self, call: Call, user: str, peer: bytes | None) -> None:
        try:
            await call.run()
        finally:
            del self.calls[call.id], self.users[call.id]
            _give_back(self._users, user)
            if peer is not None:
                _give_back(self._peers, peer)
            if not self.calls:
                self._idle.set()

    async def end_all(self, reason: str, patience: float) -> None:
        """Hang up every call, and begin no more; return when the parties have heard it, or after `patience` seconds."""
        self._last_words = reason
        try:
            async with asyncio.timeout(patience):
                for call in list(self.calls.values()):
                    await call.hang_up(reason)
                await self._idle.wait()
        except TimeoutError:
            logger.info("%d calls did not end in time", len(self.calls))


def _give_back(counter: Counter[Any], key: object) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def hops_left(request: Request) -> int:
    """Return Max-Forwards for the next leg; raise `Refusal` 483 when the request may go no further."""
    left = request.max_forwards if request.max_forwards is not None else DEFAULT_HOPS
    if left <= 0:
        raise Refusal(483, "This call has gone through too many hops")
    return min(left, DEFAULT_HOPS) - 1
