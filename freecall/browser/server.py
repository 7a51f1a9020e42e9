"""Serves the page and its WebSocket on 127.0.0.1: to the user's own browser, and to nobody who tricks it.

Three things must be right, each by itself: the Host (a name that was rebound to 127.0.0.1 is another one), the
Origin (a page of another site is another one), and the token, which only the user's terminal has shown.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib.resources import files

from aiohttp import WSCloseCode, WSMsgType, web
from aiohttp.typedefs import Handler, Middleware

from freecall.events import EventLog
from freecall.listen import free_port
from freecall.supervise import Supervisor
from sipgate.ports import Refusal

from .handset import BrowserHandset, Exchange
from .messages import MAX_BYTES

HOST = "127.0.0.1"
BROWSER_PORT = 7360
PROTOCOL = "freecall.v1"
TOKEN_PREFIX = "token."  # noqa: S105 - what stands before a token
PAGE = {
    "/": ("index.html", "text/html"),
    "/phone.js": ("phone.js", "text/javascript"),
    "/phone.css": ("phone.css", "text/css"),
}
HEARTBEAT_SECONDS = 15.0


def security_headers(origin: str) -> dict[str, str]:
    """Return what each response says: nothing from elsewhere, in no frame, kept nowhere."""
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; media-src blob:; "
        f"connect-src {origin.replace('http:', 'ws:')}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }


class BrowserServer:
    """The page's own server. `url` is for the user alone: it holds the token."""

    def __init__(
        self, exchange: Exchange, uri: str, log: EventLog, supervisor: Supervisor, port: int, token: str
    ) -> None:
        self.origin = f"http://{HOST}:{port}"
        self.url = f"{self.origin}/#{token}"
        self._host = f"{HOST}:{port}"
        self._token = token
        self._handset = partial(BrowserHandset, exchange, uri, log, supervisor)
        self._pages: set[web.WebSocketResponse] = set()

    def application(self) -> web.Application:
        """Return the routes, guarded."""
        app = web.Application(client_max_size=1024, middlewares=[self._guard()])
        app.add_routes([web.get(path, self._page) for path in PAGE])
        app.router.add_get("/phone", self._phone)
        app.on_shutdown.append(self._close_pages)
        return app

    def _guard(self) -> Middleware:
        headers = security_headers(self.origin)

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.host != self._host or request.headers.get("Origin", self.origin) != self.origin:
                return web.Response(status=403, text="This page is for this computer alone.", headers=headers)
            try:
                response = await handler(request)
            except web.HTTPException as error:
                return web.Response(status=error.status, text=error.reason, headers=headers)
            if not response.prepared:
                response.headers.update(headers)
            return response

        return guard

    async def _page(self, request: web.Request) -> web.Response:
        name, content_type = PAGE[request.path]
        text = files("freecall.browser").joinpath("page", name).read_text(encoding="utf-8")
        return web.Response(text=text, content_type=content_type)

    async def _phone(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Origin") != self.origin or not self._has_token(request):
            raise web.HTTPForbidden(reason="Open the page by the address that the node has shown.")
        socket = web.WebSocketResponse(
            max_msg_size=MAX_BYTES, heartbeat=HEARTBEAT_SECONDS, protocols=(PROTOCOL,), compress=False
        )
        await socket.prepare(request)
        self._pages.add(socket)
        wire = _Wire(socket)
        try:
            await self._handset().run(wire)
        except Refusal as refusal:
            await wire.close(refusal.reason)
        finally:
            self._pages.discard(socket)
        return socket

    def _has_token(self, request: web.Request) -> bool:
        said = [word.strip() for word in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
        tokens = [word.removeprefix(TOKEN_PREFIX) for word in said if word.startswith(TOKEN_PREFIX)]
        return len(tokens) == 1 and hmac.compare_digest(tokens[0].encode(), self._token.encode())

    async def _close_pages(self, _app: web.Application) -> None:
        for socket in list(self._pages):
            await socket.close(code=WSCloseCode.GOING_AWAY, message=b"The node stops")


class _Wire:
    """An aiohttp WebSocket as the handset's wire: text alone."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket

    async def __aiter__(self) -> AsyncIterator[str]:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                await self.close("The page has said something that is no text")
                return
            yield message.data

    async def say(self, text: str) -> None:
        await self._socket.send_str(text)

    async def close(self, reason: str) -> None:
        await self._socket.close(code=WSCloseCode.POLICY_VIOLATION, message=reason.encode()[:120])


@asynccontextmanager
async def serve_browser(
    exchange: Exchange, uri: str, log: EventLog, supervisor: Supervisor, *, wanted: bool = True
) -> AsyncIterator[str]:
    """Serve the page while the block runs; yields its address, with the token in the fragment.

    Where it is not `wanted`, nothing is served, and the address is empty.
    """
    if not wanted:
        yield ""
        return
    port = free_port([HOST], BROWSER_PORT, exact=False)
    server = BrowserServer(exchange, uri, log, supervisor, port, secrets.token_urlsafe(32))
    runner = web.AppRunner(server.application(), access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, HOST, port).start()
        yield server.url
    finally:
        await runner.cleanup()
