"""Blocking by the control API."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from freecall.control.client import ControlClient, NodeRefused
from freecall.control.policy_routes import policy_routes
from freecall.control.server import serve
from tests.freecall.test_control import SmallNode


class Desk:
    """A list of names."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def blocked(self) -> list[dict[str, Any]]:
        return [{"uri": name} for name in self.names]

    def block(self, who: str) -> dict[str, Any]:
        self.names.append(who)
        return {"uri": who}

    def block_last_caller(self) -> dict[str, Any]:
        return self.block("last")

    def unblock(self, who: str) -> None:
        self.names.remove(who)


def routes() -> list[web.RouteDef]:
    return policy_routes(Desk())


async def test_people_are_blocked_listed_and_unblocked(tmp_path: Path) -> None:
    async with serve(SmallNode(), tmp_path, routes()):

        async def ask(method: str, query: str = "", body: dict[str, Any] | None = None) -> dict[str, Any]:
            client = ControlClient(tmp_path)
            return await asyncio.to_thread(client.request, method, f"/v1/blocked{query}", body)

        assert await ask("POST", body={"who": "bob"}) == {"blocked": {"uri": "bob"}}
        assert await ask("POST", body={"last_caller": True}) == {"blocked": {"uri": "last"}}
        assert await ask("DELETE", "?who=bob") == {"blocked": [{"uri": "last"}]}
        assert await ask("GET") == {"blocked": [{"uri": "last"}]}
        for wrong in ({}, {"who": 1}, {"last_caller": "yes"}):
            with pytest.raises(NodeRefused, match="an address or a fingerprint"):
                await ask("POST", body=wrong)
        with pytest.raises(NodeRefused, match="who"):
            await ask("DELETE")
