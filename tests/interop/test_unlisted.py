"""An unlisted user, from the outside: found and called by the whole address, and by nothing that can be guessed."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.site import connect, ended, phone_of, secured
from trust.uris import self_certifying_uri

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def nodes() -> AsyncIterator[tuple[Node, Node]]:
    """Start alice, and bob who is unlisted and answers with an echo."""
    echo = ["--answer-with", "echo"]
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with (
            Node("alice", one, arguments=echo) as alice,
            Node("bob", other, bootstrap=[alice.mesh_text], arguments=["--unlisted", *echo]) as bob,
        ):
            await bob.event("published", uri=bob.ready["self_certifying_uri"])
            await resolves(alice, bob)
            yield alice, bob


async def test_the_node_says_its_whole_address_and_phones_say_the_name(nodes: tuple[Node, Node]) -> None:
    _, bob = nodes
    name, _, secret = bob.uri.removeprefix("sip:").removesuffix("@mesh").partition("+")
    assert (name, len(secret)) == ("bob", 16)
    assert bob.ready["self_certifying_uri"].startswith(f"sip:bob+{secret}@")
    assert (bob.ready["name"], bob.ready["unlisted"], bob.account["username"]) == ("bob", True, "bob")
    assert nodes[0].ready["unlisted"] is False


async def test_who_guesses_the_name_finds_nobody(nodes: tuple[Node, Node]) -> None:
    alice, bob = nodes
    long = self_certifying_uri("bob", bob.ready["fingerprint"])
    for guess in ("bob@mesh", long, "bob+aaaaaaaaaaaaaaaa@mesh"):
        answer = await alice.lookup(guess)
        assert (answer.code, answer.json["claims"]) == (1, [])
    refused = await alice.call("bob@mesh", "--seconds", "1")
    assert refused.json["status"] == 404


async def test_who_has_the_address_finds_and_calls_them(nodes: tuple[Node, Node]) -> None:
    alice, bob = nodes
    for address in (bob.uri, bob.ready["self_certifying_uri"]):
        answer = await alice.lookup(address)
        assert answer.code == 0
        assert [claim["fingerprint"] for claim in answer.json["claims"]] == [bob.ready["fingerprint"]]
        assert answer.json["claims"][0]["verified_delegation"] is True
    call = await alice.call(bob.uri.removeprefix("sip:"), "--seconds", "1")
    assert call.code == 0, call
    assert (call.json["ok"], call.json["signed"]) == (True, True)


async def test_who_is_called_by_them_sees_the_name_and_has_the_address(nodes: tuple[Node, Node]) -> None:
    alice, bob = nodes
    call = await bob.call(alice.uri, "--seconds", "1")
    assert (call.json["ok"], call.json["signed"]) == (True, True)
    started = await alice.event("call_started", direction="in")
    assert (started["peer"], started["display"]) == (bob.uri, "bob")


@pytest.mark.interop
async def test_phones_dial_the_address_and_ring_under_the_name(voices: dict[str, dict[int, Path]]) -> None:
    with DataDirectory("alice") as one, DataDirectory("bob") as other:
        async with (
            Node("alice", one) as alice,
            Node("bob", other, bootstrap=[alice.mesh_text], arguments=["--unlisted"]) as bob,
            phone_of(alice, voices["alice"]) as near,
            phone_of(bob, voices["bob"]) as far,
        ):
            await resolves(alice, bob)
            for caller, callee, address in ((near, far, bob.uri), (far, near, alice.uri)):
                await connect(caller, callee, address)
                await secured(alice, bob)
                await caller.hang_up()
                await callee.event("CALL_CLOSED")
                await ended(alice, bob)
