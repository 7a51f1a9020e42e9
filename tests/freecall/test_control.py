import asyncio
import shutil
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from freecall.control import MAX_SOCKET_PATH, socket_path
from freecall.control.client import ControlClient, NodeNotRunning, NodeRefused
from freecall.control.server import serve
from freecall.control.transfer_routes import transfer_routes
from freecall.errors import FreeCallError
from freecall.events import EventLog
from sipgate.ports import Refusal


class SmallNode:
    """A node that answers without a mesh: the control API is what is tested here."""

    def __init__(self) -> None:
        self.seen: list[str | None] = []
        self.log = EventLog(lambda: 1.0)
        self.ended: list[str] = []

    def status(self) -> dict[str, Any]:
        return {"name": "alice"}

    async def lookup(self, uri: str) -> dict[str, Any]:
        if uri == "nobody":
            raise FreeCallError("Nobody can be asked.")
        if uri == "changed":
            raise Refusal(403, "Another key than before.")
        return {"uri": uri}

    async def call(self, order: dict[str, Any]) -> AsyncIterator[dict[str, Any]]:
        yield {"event": "call_started", "at": 1.0}
        yield {"result": {"ok": True, **order}}

    def calls(self) -> list[dict[str, Any]]:
        return [{"call": "1", "state": "ringing"}]

    def history(self, *, missed: bool, last: int | None) -> list[dict[str, Any]]:
        return [{"peer": "sip:bob@mesh", "missed": missed, "last": last}]

    async def erase_history(self) -> int:
        return 3

    def missed(self) -> list[dict[str, Any]]:
        return [] if self.seen else [{"peer": "sip:bob@mesh", "trust": "pinned"}]

    def forget_missed(self, peer: str | None) -> None:
        self.seen.append(peer)

    async def write(self, order: dict[str, Any]) -> dict[str, Any]:
        return {"message": "1", "taken": "kept", **order}

    async def waiting(self) -> dict[str, Any]:
        return {"in": [], "out": []}

    def read_lists(self) -> list[str]:
        return ["1234"]

    async def hang_up(self, call: str) -> bool:
        self.ended.append(call)
        return call == "1"

    async def transfer(self, call_id: str, target: str | None, consulted: str | None = None) -> str:
        if call_id != "1":
            raise KeyError(call_id)
        if target == "sip:busy@mesh":
            raise Refusal(486, "Busy")
        return target or f"with {consulted}"


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[tuple[SmallNode, ControlClient]]:
    node = SmallNode()
    async with serve(node, data, transfer_routes(node)):
        yield node, ControlClient(data)


async def test_requests_and_answers_are_json(tmp_path: Path) -> None:
    async with served(tmp_path) as (node, client):
        assert await asyncio.to_thread(client.request, "GET", "/v1/status") == {"name": "alice"}
        assert await asyncio.to_thread(client.request, "GET", "/v1/lookup?uri=bob") == {"uri": "bob"}
        assert await asyncio.to_thread(client.request, "DELETE", "/v1/calls/1") == {"ended": True}
        assert await asyncio.to_thread(client.request, "POST", "/v1/bootstrap") == {"networks": ["1234"]}
        with pytest.raises(NodeRefused, match="no such call"):
            await asyncio.to_thread(client.request, "DELETE", "/v1/calls/2")
        assert node.ended == ["1", "2"]


async def test_missed_calls_are_listed_and_taken_as_seen(tmp_path: Path) -> None:
    async with served(tmp_path) as (node, client):
        listed = await asyncio.to_thread(client.request, "GET", "/v1/missed")
        assert listed == {"missed": [{"peer": "sip:bob@mesh", "trust": "pinned"}]}
        path = "/v1/missed?peer=bob@mesh"
        assert await asyncio.to_thread(client.request, "DELETE", path) == {"missed": []}
        assert node.seen == ["bob@mesh"]


async def test_calls_in_progress_and_past_ones_are_listed_and_erased(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        listed = await asyncio.to_thread(client.request, "GET", "/v1/calls")
        assert listed == {"calls": [{"call": "1", "state": "ringing"}]}
        for query, missed, last in (("", False, None), ("?missed=true&last=5", True, 5)):
            answer = await asyncio.to_thread(client.request, "GET", f"/v1/history{query}")
            assert answer == {"history": [{"peer": "sip:bob@mesh", "missed": missed, "last": last}]}
        assert await asyncio.to_thread(client.request, "DELETE", "/v1/history") == {"erased": 3}


async def test_messages_are_sent_and_listed(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        order = {"uri": "bob", "text": "hello"}
        sent = await asyncio.to_thread(client.request, "POST", "/v1/messages", order)
        assert sent == {"message": "1", "taken": "kept", **order}
        assert await asyncio.to_thread(client.request, "GET", "/v1/messages") == {"in": [], "out": []}


async def test_a_call_streams_its_events_and_its_result(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        items = await asyncio.to_thread(lambda: list(client.stream("POST", "/v1/calls", {"uri": "bob"})))
    assert [item.get("event") for item in items] == ["call_started", None]
    assert items[-1] == {"result": {"ok": True, "uri": "bob"}}


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/v1/lookup?uri=nobody", 400, "Nobody can be asked"),
        ("/v1/lookup?uri=changed", 409, "Another key"),
        ("/v1/lookup", 400, "cannot be read"),
        ("/v1/history?missed=perhaps", 400, "missed must be true or false"),
        ("/v1/history?last=0", 400, "last must be 1 or more"),
        ("/v1/history?last=many", 400, "cannot be read"),
        ("/v1/nothing", 404, "Not Found"),
    ],
)
async def test_errors_are_sentences(tmp_path: Path, path: str, status: int, sentence: str) -> None:
    async with served(tmp_path) as (_, client):
        with pytest.raises(NodeRefused, match=sentence) as caught:
            await asyncio.to_thread(client.request, "GET", path)
    assert caught.value.status == status


async def test_garbage_as_an_order_is_a_sentence(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        with pytest.raises(NodeRefused, match="cannot be read"):
            await asyncio.to_thread(lambda: list(client.stream("POST", "/v1/calls", None)))


async def test_the_socket_is_its_owners_alone_and_goes_with_the_node(tmp_path: Path) -> None:
    async with served(tmp_path):
        mode = socket_path(tmp_path).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert mode & 0o777 == 0o600
    with pytest.raises(NodeNotRunning, match=r"\./scripts/run"):
        ControlClient(tmp_path).request("GET", "/v1/status")


async def test_a_socket_that_a_crash_left_behind_is_replaced(tmp_path: Path) -> None:
    async with served(tmp_path):
        socket_path(tmp_path).rename(tmp_path / "kept")
    (tmp_path / "kept").rename(socket_path(tmp_path)) if (tmp_path / "kept").exists() else None
    async with served(tmp_path) as (_, client):
        assert await asyncio.to_thread(client.request, "GET", "/v1/status")


async def test_a_long_data_directory_still_has_a_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = Path(tempfile.mkdtemp(prefix="fc-run-"))  # short, whatever the tests' own folder is called
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    deep = tmp_path / ("d" * 120)
    assert len(str(socket_path(deep))) < len(str(deep))
    assert len(str(socket_path(deep).name)) <= MAX_SOCKET_PATH
    async with served(deep) as (_, client):
        assert await asyncio.to_thread(client.request, "GET", "/v1/status")
    shutil.rmtree(runtime)


async def test_a_call_is_transferred_to_a_name_or_into_another_call(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, client):
        for order, to in (({"to": "carol"}, "sip:carol@mesh"), ({"with": "2"}, "with 2")):
            answer = await asyncio.to_thread(client.request, "POST", "/v1/calls/1/transfer", order)
            assert answer == {"transferred": True, "to": to}


@pytest.mark.parametrize(
    ("path", "order", "status", "sentence"),
    [
        ("/v1/calls/2/transfer", {"to": "carol"}, 404, "no such call"),
        ("/v1/calls/1/transfer", {"to": "busy"}, 409, "Busy"),
        ("/v1/calls/1/transfer", {"to": "carol", "with": "2"}, 400, "Say where to"),
        ("/v1/calls/1/transfer", {}, 400, "Say where to"),
        ("/v1/calls/1/transfer", {"to": 5}, 400, "Say where to"),
        ("/v1/calls/1/transfer", {"to": "carol@example.org"}, 400, "no mesh address"),
    ],
)
async def test_a_transfer_that_cannot_be_is_a_sentence(
    tmp_path: Path, path: str, order: dict[str, Any], status: int, sentence: str
) -> None:
    async with served(tmp_path) as (_, client):
        with pytest.raises(NodeRefused, match=sentence) as caught:
            await asyncio.to_thread(client.request, "POST", path, order)
    assert caught.value.status == status
