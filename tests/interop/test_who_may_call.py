"""Two nodes and a real phone: strangers by the policy, contacts always, blocked people never."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from freecall.control.client import ControlClient, NodeRefused
from tests.interop.conftest import Speech
from tests.interop.test_presence import get_to_know, shows
from tests.interop.test_presence import phone as watching
from tests.kit.baresip import Baresip
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import connect, ended, phone_of, ring, secured

pytestmark = [pytest.mark.interop, pytest.mark.asyncio]


@asynccontextmanager
async def strangers(rule: str) -> AsyncIterator[tuple[Node, Node]]:
    """Start alice, and bob with a rule for those he does not know."""
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        (other / "config.toml").write_text(f"[calls]\n{rule}\n")
        async with Node("alice", one) as alice, Node("bob", other, bootstrap=[alice.mesh_text]) as bob:
            await resolves(alice, bob)
            await resolves(bob, alice)
            yield alice, bob


async def refused(near: Baresip, alice: Node, bob: Node) -> tuple[int, str]:
    """Call bob and return what the caller hears."""
    await near.dial(bob.uri)
    await near.event("CALL_CLOSED")
    told = await alice.event("call_refused")
    return told["status"], told["reason"]


async def asked(
    node: Node, method: str, path: str, body: dict[str, object] | None = None
) -> dict[str, object]:
    return await asyncio.to_thread(ControlClient(node.data).request, method, path, body)


async def test_a_stranger_rings_twice_an_hour_a_contact_always_and_who_is_blocked_never(
    voices: dict[str, Speech],
) -> None:
    async with (
        strangers("strangers_per_hour = 3") as (alice, bob),
        phone_of(alice, voices["alice"]) as near,
        phone_of(bob, voices["bob"]) as far,
    ):
        for _ in range(2):
            await ring(near, far, bob.uri)
            await near.hang_up()
            await far.event("CALL_CLOSED")
            await ended(alice)
        status, reason = await refused(near, alice, bob)
        assert status == 480
        assert "bob takes few calls from strangers" in reason
        assert (await bob.event("strangers_turned_away"))["count"] == 1
        await connect(far, near, alice.uri)
        await secured(bob, alice)
        await far.hang_up()
        await ended(alice, bob)
        await connect(near, far, bob.uri)
        await near.hang_up()
        await ended(alice, bob)
        blocked = await asked(bob, "POST", "/v1/blocked", {"last_caller": True})
        assert blocked["blocked"]["fingerprint"] == alice.ready["fingerprint"]  # type: ignore[index]
        assert await refused(near, alice, bob) == (480, "No phone of bob is switched on")
        sent = await asked(alice, "POST", "/v1/messages", {"uri": bob.uri, "text": "Why?"})
        assert sent["taken"] == "kept"
        assert (await alice.event("message_kept"))["where"] == "there"
        assert await asked(bob, "GET", "/v1/messages") == {"in": [], "out": []}
        listed = await asked(bob, "GET", "/v1/blocked")
        assert [each["uri"] for each in listed["blocked"]] == [alice.uri]  # type: ignore[attr-defined]
        assert await asked(bob, "DELETE", f"/v1/blocked?who={alice.uri}") == {"blocked": []}
        with pytest.raises(NodeRefused, match="is not blocked"):
            await asked(bob, "DELETE", f"/v1/blocked?who={alice.uri}")
        await ring(near, far, bob.uri)
        await asked(bob, "POST", "/v1/blocked", {"who": alice.uri})
        await near.event("CALL_CLOSED")
        await far.event("CALL_CLOSED")


@pytest.mark.long
async def test_strangers_who_may_not_ring_hear_why_may_write_and_call_back(voices: dict[str, Speech]) -> None:
    async with (
        strangers('strangers = "message"') as (alice, bob),
        phone_of(alice, voices["alice"]) as near,
        phone_of(bob, voices["bob"]) as far,
    ):
        status, reason = await refused(near, alice, bob)
        assert status == 480
        assert "Leave a message" in reason
        sent = await asked(alice, "POST", "/v1/messages", {"uri": bob.uri, "text": "It is me."})
        assert sent["taken"] in ("delivered", "kept")
        assert not bob.journal.has("call_started")
        await ring(far, near, alice.uri)
        await far.hang_up()
        await near.event("CALL_CLOSED")
        await ring(near, far, bob.uri)
        await near.hang_up()


async def test_a_stranger_whose_node_works_for_it_rings_and_is_answered(voices: dict[str, Speech]) -> None:
    async with (
        strangers('strangers = "work"') as (alice, bob),
        phone_of(alice, voices["alice"]) as near,
        phone_of(bob, voices["bob"]) as far,
    ):
        await connect(near, far, bob.uri)
        await secured(alice, bob)
        await near.hang_up()
        await ended(alice, bob)


@pytest.mark.long
async def test_who_is_blocked_sees_nobody_there(voices: dict[str, Speech]) -> None:
    async with (
        strangers("") as (alice, bob),
        watching(alice, voices, watches=bob.uri) as near,
        watching(bob, voices) as far,
    ):
        await get_to_know(near, far, alice, bob)
        await shows(near, "Online")
        await asked(bob, "POST", "/v1/blocked", {"who": alice.uri})
        await shows(near, "Offline")
