"""The control API's request to transfer a call (docs/control-api.md)."""

from typing import Any, Protocol

from aiohttp import web

from freecall.errors import FreeCallError
from freecall.mesh_uri import canonical


class Switchboard(Protocol):
    """What this request asks of the gateway."""

    async def transfer(self, call_id: str, target: str | None, consulted: str | None = None) -> str:
        """Send the other party to `target`, or into the call `consulted`; return where to. KeyError: no such call."""


class TransferWrong(FreeCallError):
    """The order says neither where to, or both ways of it."""

    def __init__(self) -> None:
        super().__init__('Say where to: {"to": "carol@mesh"}, or {"with": "ID"} of another call of yours.')


def transfer_routes(switchboard: Switchboard) -> list[web.RouteDef]:
    """Return the route that asks ``switchboard``."""

    async def transfer(request: web.Request) -> web.Response:
        to, consulted = _where(await request.json())
        try:
            uri = await switchboard.transfer(request.match_info["call"], to, consulted)
        except KeyError:
            return web.json_response({"error": "There is no such call."}, status=404)
        return web.json_response({"transferred": True, "to": uri})

    return [web.post("/v1/calls/{call}/transfer", transfer)]


def _where(order: Any) -> tuple[str | None, str | None]:
    if not isinstance(order, dict):
        raise TypeError("expected a JSON object")
    to, consulted = order.get("to"), order.get("with")
    if isinstance(to, str) and consulted is None:
        return canonical(to), None
    if isinstance(consulted, str) and to is None:
        return None, consulted
    raise TransferWrong
