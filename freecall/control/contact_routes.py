"""The control API's requests about contacts (docs/control-api.md)."""

from typing import Any, Protocol

from aiohttp import web


class Desk(Protocol):
    """What these requests ask of the node; each raises FreeCallError or Refusal with a sentence."""

    def all(self) -> list[dict[str, Any]]:
        """Return the contacts."""

    async def add(
        self, who: str, *, name: str | None = None, note: str | None = None, fingerprint: str = ""
    ) -> dict[str, Any]:
        """Add or change one; return it."""

    def remove(self, who: str) -> None:
        """Forget one."""

    async def take(self, card: str) -> dict[str, Any]:
        """Make one of a vCard; return it."""

    def cards(self) -> str:
        """Return all as vCards."""

    def own_card(self) -> dict[str, str]:
        """Return the user's own cards, ``card`` and ``short``."""


def contact_routes(desk: Desk) -> list[web.RouteDef]:
    """Return the routes that ask ``desk``."""

    async def contacts(_request: web.Request) -> web.Response:
        return web.json_response({"contacts": desk.all()})

    async def add(request: web.Request) -> web.Response:
        order = await request.json()
        if not isinstance(order, dict) or not all(isinstance(value, str) for value in order.values()):
            raise TypeError("expected a JSON object of texts")
        if not order.keys() <= {"uri", "name", "note", "fingerprint"}:
            raise TypeError("expected uri, name, note and fingerprint only")
        return web.json_response({"contact": await desk.add(order.pop("uri"), **order)})

    async def take(request: web.Request) -> web.Response:
        order = await request.json()
        if not isinstance(order, dict) or not isinstance(order.get("card"), str):
            raise TypeError("expected a JSON object with card, a text")
        return web.json_response({"contact": await desk.take(order["card"])})

    async def remove(request: web.Request) -> web.Response:
        desk.remove(request.query["uri"])
        return web.json_response({"contacts": desk.all()})

    async def cards(_request: web.Request) -> web.Response:
        return web.json_response({"cards": desk.cards()})

    async def own(_request: web.Request) -> web.Response:
        return web.json_response(desk.own_card())

    return [
        web.get("/v1/contacts", contacts),
        web.post("/v1/contacts", add),
        web.delete("/v1/contacts", remove),
        web.post("/v1/contacts/taken", take),
        web.get("/v1/contacts/cards", cards),
        web.get("/v1/card", own),
    ]
