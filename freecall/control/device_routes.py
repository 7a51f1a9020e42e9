"""The control API's requests about paired devices (docs/control-api.md)."""

from typing import Any, Protocol

from aiohttp import web


class Desk(Protocol):
    """What these requests ask of the node; each raises FreeCallError with a sentence."""

    def all(self) -> list[dict[str, Any]]:
        """Return the devices."""

    async def add(self, name: str, *, plain: bool = False, srtp: str = "sdes") -> dict[str, Any]:
        """Pair one; return it with its account."""

    async def revoke(self, name: str) -> None:
        """Forget one."""

    def certificate(self) -> dict[str, str]:
        """Return what devices meet."""


def device_routes(desk: Desk) -> list[web.RouteDef]:
    """Return the routes that ask ``desk``."""

    async def devices(_request: web.Request) -> web.Response:
        return web.json_response({"devices": desk.all()})

    async def add(request: web.Request) -> web.Response:
        order = await request.json()
        if not isinstance(order, dict) or not order.keys() <= {"name", "plain", "srtp"}:
            raise TypeError("expected a JSON object with name, plain and srtp as wanted")
        name, plain, srtp = order["name"], order.get("plain", False), order.get("srtp", "sdes")
        if not isinstance(name, str) or not isinstance(plain, bool) or not isinstance(srtp, str):
            raise TypeError("expected a text, true or false, and a text")
        return web.json_response({"device": await desk.add(name, plain=plain, srtp=srtp)})

    async def revoke(request: web.Request) -> web.Response:
        await desk.revoke(request.query["name"])
        return web.json_response({"devices": desk.all()})

    async def certificate(_request: web.Request) -> web.Response:
        return web.json_response(desk.certificate())

    return [
        web.get("/v1/devices", devices),
        web.post("/v1/devices", add),
        web.delete("/v1/devices", revoke),
        web.get("/v1/devices/certificate", certificate),
    ]
