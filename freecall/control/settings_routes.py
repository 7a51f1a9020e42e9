"""The control API's requests about the user's settings (docs/control-api.md)."""

from collections.abc import Mapping
from typing import Any, Protocol

from aiohttp import web

Value = bool | int | str


class Settings(Protocol):
    """What these requests ask of the node."""

    def shown(self) -> Mapping[str, Value]:
        """Return each setting."""

    def change(self, changes: dict[str, Any]) -> Mapping[str, Value]:
        """Change some; return all, or raise FreeCallError with a sentence."""


def settings_routes(settings: Settings) -> list[web.RouteDef]:
    """Return the routes that ask ``settings``."""

    async def show(_request: web.Request) -> web.Response:
        return web.json_response(settings.shown())

    async def change(request: web.Request) -> web.Response:
        order = await request.json()
        if not isinstance(order, dict):
            raise TypeError("expected a JSON object")
        return web.json_response(settings.change(order))

    return [web.get("/v1/settings", show), web.patch("/v1/settings", change)]
