"""The control API's requests about who may call (docs/control-api.md)."""

from typing import Any, Protocol

from aiohttp import web


class Desk(Protocol):
    """What these requests ask of the node; each raises FreeCallError with a sentence."""

    def blocked(self) -> list[dict[str, Any]]:
        """Return who is blocked, the latest first."""

    def block(self, who: str) -> dict[str, Any]:
        """Block an address or a fingerprint; return the entry."""

    def block_last_caller(self) -> dict[str, Any]:
        """Block whoever called last; return the entry."""

    def unblock(self, who: str) -> None:
        """Take an address or a fingerprint out of the list."""


def policy_routes(desk: Desk) -> list[web.RouteDef]:
    """Return the routes that ask ``desk``."""

    async def blocked(_request: web.Request) -> web.Response:
        return web.json_response({"blocked": desk.blocked()})

    async def block(request: web.Request) -> web.Response:
        order = await request.json()
        if not isinstance(order, dict):
            raise TypeError("expected a JSON object")
        if order.get("last_caller") is True:
            return web.json_response({"blocked": desk.block_last_caller()})
        if not isinstance(order.get("who"), str):
            raise TypeError('expected "who", an address or a fingerprint, or "last_caller": true')
        return web.json_response({"blocked": desk.block(order["who"])})

    async def unblock(request: web.Request) -> web.Response:
        desk.unblock(request.query["who"])
        return web.json_response({"blocked": desk.blocked()})

    return [
        web.get("/v1/blocked", blocked),
        web.post("/v1/blocked", block),
        web.delete("/v1/blocked", unblock),
    ]
