"""One open page: a handset of the node's user, for as long as its WebSocket stands."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

from freecall.events import EventLog
from freecall.supervise import Supervisor
from sipgate.handset import Handset, HandsetCall
from sipgate.ports import Refusal

from .call import BrowserCall
from .messages import BadMessage, Wish

logger = logging.getLogger(__name__)

MAX_CALLS = 4
MAX_UNREAD = 256


class Exchange(Protocol):
    """What a page needs of the gateway."""

    def attached(self, local_uri: str, handset: Handset) -> AbstractContextManager[None]:
        """Let `handset` ring while the block runs; raise `Refusal`."""
        ...

    def call_from(
        self, local_uri: str, target: str, handset: Handset, call: HandsetCall, offer: bytes
    ) -> object:
        """Call somebody; raise `Refusal`."""
        ...


class Wire(Protocol):
    """The WebSocket."""

    def __aiter__(self) -> AsyncIterator[str]:
        """Yield what the page says, until it is gone."""
        ...

    async def say(self, text: str) -> None:
        """Send one message; raise ConnectionError when the page is gone."""
        ...

    async def close(self, reason: str) -> None:
        """Close it, and say why."""
        ...


class BrowserHandset:
    """Carries out what the page wants, and tells it what happens in its calls."""

    def __init__(self, exchange: Exchange, uri: str, log: EventLog, supervisor: Supervisor) -> None:
        self._exchange = exchange
        self._uri = uri
        self._log = log
        self._supervisor = supervisor
        self._calls: dict[str, BrowserCall] = {}
        self._numbers = 0
        self._unsaid: asyncio.Queue[str] = asyncio.Queue(MAX_UNREAD)
        self._flooded = asyncio.Event()

    async def run(self, wire: Wire) -> None:
        """Serve the page until it is gone; its calls then end. Raise `Refusal` when there are too many pages."""
        with self._exchange.attached(self._uri, self):
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [
                        group.create_task(job)
                        for job in (self._say(wire), self._tell_events(), self._give_up(wire))
                    ]
                    self._tell("ready", "", uri=self._uri)
                    await self._listen(wire)
                    for task in tasks:
                        task.cancel()
            finally:
                for call in list(self._calls.values()):
                    call.decline(480, "The browser page was closed")
                    call.hang_up(200, "The browser page was closed")

    def call_in(self) -> BrowserCall:
        """Return a new call that comes in."""
        self._numbers += 1
        return self._open(f"n{self._numbers}")

    def _open(self, name: str) -> BrowserCall:
        if len(self._calls) >= MAX_CALLS:
            raise Refusal(486, "This browser has as many calls as it can")

        def tell(what: str, **fields: Any) -> None:
            self._tell(what, name, **fields)

        call = self._calls[name] = BrowserCall(tell, self._supervisor, lambda: self._forget(name))
        return call

    def _forget(self, name: str) -> None:
        self._calls.pop(name, None)

    async def _listen(self, wire: Wire) -> None:
        async for text in wire:
            try:
                await self._do(Wish.parse(text))
            except BadMessage as bad:
                logger.info("a browser page said what is not understood: %s", bad)
                await wire.close(f"The page has said {bad}")
                return

    async def _do(self, wish: Wish) -> None:
        if wish.do == "call":
            await self._call(wish)
            return
        call = self._calls.get(wish.id)
        if call is None:
            return  # it has just ended: the page was told
        match wish.do:
            case "answer":
                call.answer(wish.sdp)
            case "change":
                call.change(wish.sdp)
            case "decline":
                call.decline()
            case _:
                call.hang_up()

    async def _call(self, wish: Wish) -> None:
        if wish.id in self._calls:
            raise BadMessage("the name of a call twice")
        try:
            call = self._open(wish.id)
        except Refusal as refusal:
            self._tell("ended", wish.id, status=refusal.status, reason=refusal.reason)
            return
        try:
            offer = await call.offer(wish.sdp)
            self._exchange.call_from(self._uri, wish.uri, self, call, offer)
        except Refusal as refusal:
            await call.ended(refusal.status, refusal.reason)

    # -- what the page is told

    def _tell(self, what: str, name: str, /, **fields: Any) -> None:
        text = json.dumps({"is": what, **({"id": name} if name else {}), **fields})
        try:
            self._unsaid.put_nowait(text)
        except asyncio.QueueFull:
            self._flooded.set()

    async def _say(self, wire: Wire) -> None:
        try:
            while True:
                await wire.say(await self._unsaid.get())
        except ConnectionError:
            logger.info("a browser page has gone")  # `_listen` ends by itself

    async def _give_up(self, wire: Wire) -> None:
        await self._flooded.wait()
        await wire.close("The page does not read what it is told")

    async def _tell_events(self) -> None:
        """Tell what the node's events say of the page's own calls: above all, that they are secured."""
        with self._log.subscribe() as events:
            async for event in events:
                about = event.fields.get("call")
                for name, call in list(self._calls.items()):
                    if about and call.call == about:
                        self._tell("event", name, event=event.name, **_without_clash(event.fields))


def _without_clash(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key not in ("id", "is", "event")}
