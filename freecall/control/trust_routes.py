"""The control API's requests about trust (docs/control-api.md)."""

from typing import Any, Protocol

from aiohttp import web


class Desk(Protocol):
    """What these requests ask of the node; each raises FreeCallError with a sentence."""

    async def show(self, uri: str) -> dict[str, Any]:
        """Return how far a name is believed, and why."""

    def verify(self, uri: str, *, words: str = "", fingerprint: str = "") -> dict[str, Any]:
        """Mark somebody as verified in person."""

    def forget(self, uri: str) -> dict[str, Any]:
        """Forget the key that is kept for a name."""

    async def introduce(self, uri: str, to: str) -> dict[str, Any]:
        """Return an introduction with its ``card``."""

    async def take(self, card: str) -> dict[str, Any]:
        """Keep an introduction."""

    def introductions(self) -> list[dict[str, Any]]:
        """Return those that count."""

    def key(self) -> dict[str, Any]:
        """Return the own public key in ASCII armour, and its fingerprint."""


def trust_routes(desk: Desk) -> list[web.RouteDef]:
    """Return the routes that ask ``desk``."""

    async def show(request: web.Request) -> web.Response:
        return web.json_response(await desk.show(request.query["uri"]))

    async def verify(request: web.Request) -> web.Response:
        order = await request.json()
        by = "words" if isinstance(order, dict) and "words" in order else "fingerprint"
        return web.json_response(desk.verify(_text(order, "uri"), **{by: _text(order, by)}))

    async def forget(request: web.Request) -> web.Response:
        return web.json_response(desk.forget(request.query["uri"]))

    async def introduce(request: web.Request) -> web.Response:
        order = await request.json()
        return web.json_response(await desk.introduce(_text(order, "uri"), _text(order, "to")))

    async def take(request: web.Request) -> web.Response:
        return web.json_response(await desk.take(_text(await request.json(), "card")))

    async def introductions(_request: web.Request) -> web.Response:
        return web.json_response({"introductions": desk.introductions()})

    async def key(_request: web.Request) -> web.Response:
        return web.json_response(desk.key())

    return [
        web.get("/v1/trust", show),
        web.delete("/v1/trust", forget),
        web.post("/v1/trust/verified", verify),
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
