"""Text between real phones through real nodes; and for who is away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from freecall.control.client import ControlClient
from tests.interop.conftest import Pair
from tests.kit.baresip import Baresip, Line
from tests.kit.linphone import Linphone
from tests.kit.nodes import DataDirectory, Node, resolves
from tests.kit.sip_phone import SipPhone
from tests.kit.speech import make_tone

WORDS = "Grüße, 日本 🎉"
SECRET = "the treasure lies under the third stone\n石の下 💎"
PATIENCE = 30


@dataclass
class Places:
    """Where alice, bob and a third node, which keeps what is published, have their data."""

    alice: Path
    bob: Path
    carol: Path


@pytest.fixture
def places() -> Iterator[Places]:
    """Return three data directories."""
    with DataDirectory("alice") as alice, DataDirectory("bob") as bob, DataDirectory("carol") as carol:
        yield Places(alice, bob, carol)


@asynccontextmanager
async def phone(node: Node) -> AsyncIterator[SipPhone]:
    """Yield a registered phone of the node."""
    async with SipPhone(node.name, node.phones[1], secret=node.account["secret"]) as made:
        await made.register()
        yield made


async def next_text(of: SipPhone) -> str:
    """Wait for a message."""
    async with asyncio.timeout(PATIENCE):
        return (await of.messages.get()).body.decode()


def files_with(words: str, folder: Path) -> list[Path]:
    """Return the files in which a line of the words stands in the clear, or as base64."""
    needles = [line.encode() for line in words.splitlines()]
    return [
        path
        for path in folder.rglob("*")
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


@pytest.mark.interop
@pytest.mark.namespaces
@pytest.mark.asyncio(loop_scope="session")
async def test_baresip_and_linphone_write_to_each_other(pair: Pair, tmp_path: Path) -> None:
    tone = make_tone(tmp_path / "tone.wav", 440)
    alice, bob = pair.alice.node, pair.bob.node
    book = [f'"bob" <{bob.uri}>']
    async with (
        Baresip(Line.of(alice), tone, namespace=alice.namespace, modules=["contact"], contacts=book) as near,
        Linphone(Line.of(bob), tone, namespace=bob.namespace) as far,
    ):
        await bob.event("phone_registered")
        await near.write(f"{WORDS} from baresip")
        await far.says(f"{WORDS} from baresip")
        sent = await alice.event("message_sent")
        await alice.event("message_delivered", message=sent["message"])
        await bob.event("message_received", message=sent["message"])
        far.command(f"chat {alice.uri} {WORDS} from linphone")
        await alice.event(
            "message_received", peer=bob.uri
        )  # baresip has said 200; it prints nowhere what it shows
        to_phone = [
            packet.payload for packet in pair.alice.loopback.packets if packet.destination[1] == near.sip_port
        ]
        assert any(data.endswith(f"\r\n\r\n{WORDS} from linphone".encode()) for data in to_phone)
        assert not any(WORDS.encode() in packet.payload for packet in pair.mesh.packets)
    for node in (alice, bob):
        await node.event("phone_unregistered")


async def test_a_text_waits_while_the_node_is_away_and_comes_once(places: Places) -> None:
    async with Node("carol", places.carol) as carol, AsyncExitStack() as life:
        alice = await life.enter_async_context(Node("alice", places.alice, bootstrap=[carol.mesh_text]))
        async with Node("bob", places.bob, bootstrap=[carol.mesh_text]) as bob:
            await resolves(alice, bob)
            async with phone(alice) as near, phone(bob) as far:
                assert (await near.write(bob.uri, b"first")).status == 200
                assert await next_text(far) == "first"
        alice.journal.forget()
        async with phone(alice) as near:
            assert (await near.write(bob.uri, SECRET.encode())).status == 202
            kept = await alice.event("message_kept", direction="out", where="here")
            assert "bob is away" in await next_text(near)
        assert files_with(SECRET, places.alice) == []
        await alice.kill()

        async with Node("alice", places.alice, bootstrap=[carol.mesh_text]) as alice, phone(alice) as near:
            async with Node("bob", places.bob, bootstrap=[carol.mesh_text]) as bob, phone(bob) as far:
                assert await next_text(far) == SECRET
                assert (await next_text(near)).startswith("Delivered: your message of ")
                await alice.event("message_delivered", message=kept["message"])
                received = await bob.event("message_received", message=kept["message"])
                assert received["peer"] == alice.uri
                assert await asyncio.to_thread(
                    ControlClient(places.alice).request, "GET", "/v1/messages"
                ) == {
                    "in": [],
                    "out": [],
                }
            async with Node("bob", places.bob, bootstrap=[carol.mesh_text]) as bob, phone(bob) as far:
                await resolves(alice, bob)
                assert (await near.write(bob.uri, b"second")).status == 200
                assert await next_text(far) == "second"
                assert far.messages.empty()


async def test_a_text_waits_for_a_phone_in_the_callee_s_node_over_a_power_cut(places: Places) -> None:
    async with Node("alice", places.alice) as alice, phone(alice) as near:
        async with Node("bob", places.bob, bootstrap=[alice.mesh_text]) as bob:
            await resolves(alice, bob)
            await resolves(bob, alice)
            assert (await near.write(bob.uri, SECRET.encode())).status == 202
            assert "No phone of bob is on" in await next_text(near)
            await bob.event("message_kept", direction="in")
            await alice.event("message_kept", direction="out", where="there")
            waiting = await asyncio.to_thread(ControlClient(places.bob).request, "GET", "/v1/messages")
            assert [(one["from"], one["text"]) for one in waiting["in"]] == [(alice.uri, SECRET)]
            for place in (places.alice, places.bob):
                assert files_with(SECRET, place) == []
            await bob.kill()
        async with Node("bob", places.bob, bootstrap=[alice.mesh_text]) as bob:
            async with phone(bob) as far:
                async with asyncio.timeout(PATIENCE):
                    message = await far.messages.get()
                assert message.body.decode() == SECRET
                assert message.headers.get("Date")
                assert (await next_text(near)).startswith("Delivered: your message of ")
                await far.register()
            async with phone(bob) as far:
                await bob.event("phone_registered")
                assert (await near.write(bob.uri, b"second")).status == 200
                assert await next_text(far) == "second"
                assert far.messages.empty()


async def test_messages_by_the_control_api_between_both_kinds_of_keyring(
    places: Places, tmp_path: Path
) -> None:
    embedded = tmp_path / "embedded.toml"
    embedded.write_text('[node]\nopenpgp = "sequoia"\n')
    async with (
        Node("alice", places.alice) as alice,
        Node("bob", places.bob, bootstrap=[alice.mesh_text], arguments=["--config", str(embedded)]) as bob,
        phone(bob) as far,
    ):
        await resolves(alice, bob)
        await resolves(bob, alice)
        client = ControlClient(places.alice)
        order = {"uri": "bob@mesh", "text": SECRET}
        answer = await asyncio.to_thread(client.request, "POST", "/v1/messages", order)
        assert answer["taken"] == "delivered"
        assert await next_text(far) == SECRET
        assert (await far.write(alice.uri, SECRET.encode())).status == 202
        waiting = await asyncio.to_thread(client.request, "GET", "/v1/messages")
        assert [one["text"] for one in waiting["in"]] == [SECRET]
