"""The node's side of the control API (docs/control-api.md)."""

import asyncio
import json
import logging
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from aiohttp import web

from freecall.errors import FreeCallError
from freecall.events import EventLog
from sipgate.ports import Refusal

from . import socket_path

logger = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024


class Node(Protocol):
    """What the control API asks of the running node."""

    log: EventLog

    def status(self) -> dict[str, Any]:
        """Return who the node is and what it does now."""

    async def lookup(self, uri: str) -> dict[str, Any]:
        """Return the evidence for a name; raise FreeCallError or Refusal."""

    def call(self, order: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Place a call without a phone; yield its events, then one object with ``result``."""

    async def write(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send a message; return its id and what became of it. Raise FreeCallError or Refusal."""

    async def waiting(self) -> dict[str, Any]:
        """Return the messages that wait, in both directions."""

    def missed(self) -> list[dict[str, Any]]:
        """Return the missed calls, the latest first."""

    def forget_missed(self, peer: str | None) -> None:
        """Take missed calls as seen, of one peer or all."""

    def read_lists(self) -> list[str]:
        """Try the nodes of bootstrap lists that were imported; return the labels of the networks concerned."""

    async def hang_up(self, call: str) -> bool:
        """End a call; False when there is none of that id."""

    def calls(self) -> list[dict[str, Any]]:
        """Return the calls in progress."""

    def history(self, *, missed: bool, last: int | None) -> list[dict[str, Any]]:
        """Return the calls that are over, the latest first."""

    async def erase_history(self) -> int:
        """Forget them; return how many they were."""


@asynccontextmanager
async def serve(node: Node, data: Path, more: Iterable[web.RouteDef] = ()) -> AsyncIterator[Path]:
    """Serve the control API of ``node``, and ``more`` of it, while the block runs; yields the socket's path."""
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_errors_as_sentences])
    routes = _Routes(node)
    app.add_routes(
        [
            web.get("/v1/status", routes.status),
            web.get("/v1/lookup", routes.lookup),
            web.get("/v1/events", routes.events),
            web.get("/v1/calls", routes.calls),
            web.post("/v1/calls", routes.place_call),
            web.delete("/v1/calls/{call}", routes.hang_up),
            web.post("/v1/messages", routes.write),
            web.get("/v1/messages", routes.waiting),
            web.get("/v1/history", routes.history),
            web.delete("/v1/history", routes.erase_history),
            web.get("/v1/missed", routes.missed),
            web.delete("/v1/missed", routes.forget_missed),
            web.post("/v1/bootstrap", routes.read_lists),
            *more,
        ]
    )
    path = socket_path(data)
    _make_private_folder(path.parent)
    path.unlink(missing_ok=True)
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        mask = os.umask(0o177)  # the socket is born 0600: nobody else can connect in between
        try:
            await web.UnixSite(runner, str(path)).start()
        finally:
            os.umask(mask)
        yield path
    finally:
        await runner.cleanup()
        path.unlink(missing_ok=True)


def _make_private_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = folder.lstat()
    if status.st_uid != os.getuid() or stat.S_ISLNK(status.st_mode):
        raise FreeCallError(
            f"{folder} belongs to somebody else: remove it, or choose a shorter --data directory."
        )


@web.middleware
async def _errors_as_sentences(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return web.json_response({"error": refusal.reason, "sip_status": refusal.status}, status=409)
    except FreeCallError as error:
        return web.json_response({"error": str(error)}, status=400)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)
    except (ValueError, KeyError, TypeError) as error:
        return web.json_response({"error": f"The request cannot be read: {error}"}, status=400)


class _Routes:
    def __init__(self, node: Node) -> None:
        self._node = node

    async def status(self, _request: web.Request) -> web.Response:
        return web.json_response(self._node.status())

    async def lookup(self, request: web.Request) -> web.Response:
        return web.json_response(await self._node.lookup(request.query["uri"]))

    async def events(self, request: web.Request) -> web.StreamResponse:
        with self._node.log.subscribe() as events:

            async def as_json() -> AsyncIterator[str]:
                async for event in events:
                    yield event.json()

            return await _stream(request, as_json())

    async def write(self, request: web.Request) -> web.Response:
        return web.json_response(await self._node.write(await _order(request)))

    async def waiting(self, _request: web.Request) -> web.Response:
        return web.json_response(await self._node.waiting())

    async def place_call(self, request: web.Request) -> web.StreamResponse:
        order = await _order(request)

        async def as_json() -> AsyncIterator[str]:
            async for item in self._node.call(order):
                yield json.dumps(item, ensure_ascii=False)

        return await _stream(request, as_json())

    async def hang_up(self, request: web.Request) -> web.Response:
        if not await self._node.hang_up(request.match_info["call"]):
            return web.json_response({"error": "There is no such call."}, status=404)
        return web.json_response({"ended": True})

    async def calls(self, _request: web.Request) -> web.Response:
        return web.json_response({"calls": self._node.calls()})

    async def history(self, request: web.Request) -> web.Response:
        last = request.query.get("last")
        count = None if last is None else int(last)
        if count is not None and count < 1:
            raise ValueError("last must be 1 or more")
        calls = self._node.history(missed=_yes(request, "missed"), last=count)
        text = await asyncio.to_thread(json.dumps, {"history": calls}, ensure_ascii=False)
        return web.Response(text=text, content_type="application/json")

    async def erase_history(self, _request: web.Request) -> web.Response:
        return web.json_response({"erased": await self._node.erase_history()})

    async def missed(self, _request: web.Request) -> web.Response:
        return web.json_response({"missed": self._node.missed()})

    async def forget_missed(self, request: web.Request) -> web.Response:
        self._node.forget_missed(request.query.get("peer"))
        return web.json_response({"missed": self._node.missed()})

    async def read_lists(self, _request: web.Request) -> web.Response:
        return web.json_response({"networks": self._node.read_lists()})


async def _order(request: web.Request) -> dict[str, Any]:
    order = await request.json()
    if not isinstance(order, dict):
        raise TypeError("expected a JSON object")
    return order


def _yes(request: web.Request, name: str) -> bool:
    value = request.query.get(name, "false")
    if value not in ("true", "false"):
        raise ValueError(f"{name} must be true or false")
    return value == "true"


async def _stream(request: web.Request, lines: AsyncIterator[str]) -> web.StreamResponse:
    """Send ``lines`` as they come. The first is awaited before the headers, so that an early error has a status."""
    response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
    await response.prepare(request)
    try:
        async for line in lines:
            await response.write(line.encode() + b"\n")
    except ConnectionResetError:
        logger.debug("a control client went away")
    return response
