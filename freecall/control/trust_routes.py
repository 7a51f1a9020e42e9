"""The control API's requests about trust (docs/control-api.md)."""

from typing import Any, Protocol

from aiohttp import web


class Desk(Protocol):
    """What these requests ask of the node; each raises FreeCallError with a sentence."""

    async def show(self, uri: str) -> dict[str, Any]:
        """Return how far a name is believed, and why."""

    async def introduce(self, uri: str, to: str) -> dict[str, Any]:
        """Return an introduction with its ``card``."""

    async def take(self, card: str) -> dict[str, Any]:
        """Keep an introduction."""

    def introductions(self) -> list[dict[str, Any]]:
        """Return those that count."""

    def key(self) -> str:
        """Return the own public key in ASCII armour."""


def trust_routes(desk: Desk) -> list[web.RouteDef]:
    """Return the routes that ask ``desk``."""

    async def show(request: web.Request) -> web.Response:
        return web.json_response(await desk.show(request.query["uri"]))

    async def introduce(request: web.Request) -> web.Response:
        order = await request.json()
        return web.json_response(await desk.introduce(_text(order, "uri"), _text(order, "to")))

    async def take(request: web.Request) -> web.Response:
        return web.json_response(await desk.take(_text(await request.json(), "card")))

    async def introductions(_request: web.Request) -> web.Response:
        return web.json_response({"introductions": desk.introductions()})

    async def key(_request: web.Request) -> web.Response:
        return web.json_response({"key": desk.key()})

    return [
        web.get("/v1/trust", show),
        web.get("/v1/key", key),
        web.get("/v1/introductions", introductions),
        web.post("/v1/introductions", introduce),
        web.post("/v1/introductions/taken", take),
    ]


def _text(order: Any, name: str) -> str:
    if not isinstance(order, dict) or not isinstance(order.get(name), str):
        raise TypeError(f"expected a JSON object with {name}, a text")
    text: str = order[name]
    return text
