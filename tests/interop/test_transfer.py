"""Transfer and forwarding with real phones: the new pair of three nodes hears each other and has confirmed anew."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from freecall.control.client import ControlClient
from media.protocol.g711 import decode
from tests.kit.baresip import Baresip, Line
from tests.kit.capture import Capture, PhoneTraffic
from tests.kit.linphone import Linphone
from tests.kit.nodes import ROOT, DataDirectory, Node, command, resolves
from tests.kit.process import run
from tests.kit.site import answer, connect
from tests.kit.speech import main_frequency, make_tone, read_wav

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
TONES = {"alice": 440, "bob": 620, "carol": 880}
RATE = 8_000
ONE_SECOND = 50


@dataclass(frozen=True)
class Three:
    """Three nodes that know each other, and what their users sing."""

    alice: Node
    bob: Node
    carol: Node
    tones: dict[str, Path]
    loopback: Capture

    @property
    def nodes(self) -> tuple[Node, Node, Node]:
        return self.alice, self.bob, self.carol

    def phone(self, node: Node, *, answers_by_itself: bool = False) -> Baresip:
        """Return a phone that plays its user's tone."""
        return Baresip(Line.of(node), self.tones[node.name], answers_by_itself=answers_by_itself)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Three]:
    """Start the nodes."""
    folder = tmp_path_factory.mktemp("tones")
    tones = {name: make_tone(folder / f"{name}.wav", hertz) for name, hertz in TONES.items()}
    async with AsyncExitStack() as stack:
        loopback = await stack.enter_async_context(Capture("lo"))
        nodes: list[Node] = []
        for name in TONES:
            first = [nodes[0].mesh_text] if nodes else []
            node = Node(name, stack.enter_context(DataDirectory(name)), bootstrap=first)
            nodes.append(await stack.enter_async_context(node))
        for one in nodes:
            for other in nodes:
                if one is not other:
                    await resolves(one, other)
        alice, bob, carol = nodes
        yield Three(alice, bob, carol, tones, loopback)


@pytest.fixture
def three(running: Three) -> Three:
    """Return them with their past forgotten."""
    for node in running.nodes:
        node.journal.forget()
    return running


async def hear(three: Three, *ears: tuple[Baresip, str]) -> None:
    """Wait until each phone hears the tone of whom it is said to talk with."""
    for phone, name in ears:
        traffic = PhoneTraffic(three.loopback, phone.rtp_ports)
        await traffic.until_heard(2 * ONE_SECOND)
        sound = decode("PCMU", b"".join(traffic.heard()[-ONE_SECOND:]))
        assert abs(main_frequency(np.frombuffer(sound, dtype="<i2"), RATE) - TONES[name]) < 5, name


async def test_a_blind_transfer_between_three_nodes(three: Three) -> None:
    async with (
        three.phone(three.alice) as alice,
        three.phone(three.bob) as bob,
        three.phone(three.carol) as carol,
    ):
        await connect(alice, bob, three.bob.uri)
        await three.alice.event("call_secured")
        await three.bob.event("call_secured")
        await alice.transfer(three.carol.uri)
        await carol.event("CALL_INCOMING")
        await carol.accept()
        await carol.event("CALL_ESTABLISHED")
        await alice.event("CALL_CLOSED")
        await three.alice.event("call_ended")
        near = await three.bob.event("call_secured", peer=three.carol.uri)
        far = await three.carol.event("call_secured", peer=three.bob.uri)
        assert near["words"] == far["words"]
        assert near["signed"] is far["signed"] is True
        told = await three.bob.event("call_transferred")
        assert (told["part"], told["by"], told["to"]) == ("transferee", three.alice.uri, three.carol.uri)
        assert told["into"] == near["call"]
        await hear(three, (bob, "carol"), (carol, "bob"))
        await carol.hang_up()
        await bob.event("CALL_CLOSED")


async def test_an_attended_transfer_by_linphone(three: Three) -> None:
    line = Line.of(three.alice)
    async with three.phone(three.bob) as bob, three.phone(three.carol) as carol:
        async with Linphone(line, three.tones["alice"]) as alice:
            await three.alice.event("phone_registered")
            for phone, node in ((bob, three.bob), (carol, three.carol)):
                alice.command(f"call {node.uri}")
                await phone.event("CALL_INCOMING")
                await phone.accept()
                await node.event("call_secured", peer=three.alice.uri)
                await alice.says("connected")
                alice.command("pause")
                await alice.says("is now paused")
            alice.command("transfer 1 --to-call 2")
            near = await three.bob.event("call_secured", peer=three.carol.uri)
            far = await three.carol.event("call_secured", peer=three.bob.uri)
            assert near["words"] == far["words"]
            assert (await three.bob.event("call_transferred"))["part"] == "transferee"
            told = await three.carol.event("call_transferred")
            assert (told["part"], told["by"], told["whom"]) == ("target", three.alice.uri, three.bob.uri)
            for _ in range(2):
                await three.alice.event("call_ended")
        await hear(three, (bob, "carol"), (carol, "bob"))
        await carol.hang_up()
        await bob.event("CALL_CLOSED")


async def ordered(node: Node, *arguments: str) -> dict[str, object]:
    """Let a node's user order something of `fc-calls`; return what it answers."""
    done = await run(command("calls", "--data", str(node.data), *arguments, "--json"), cwd=ROOT, timeout=30)
    assert done.code == 0, done
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


async def call_ids(node: Node) -> dict[str, str]:
    """Return the ids of a node's calls, by the name of the peer."""
    listed: Any = await ordered(node, "list")
    return {each["peer"]: each["call"] for each in listed["calls"]}


@pytest.mark.parametrize("attended", [False, True], ids=["blind", "attended"])
async def test_a_transfer_by_the_command(three: Three, attended: bool) -> None:
    uri = three.carol.uri
    async with (
        three.phone(three.alice) as alice,
        three.phone(three.bob) as bob,
        three.phone(three.carol, answers_by_itself=not attended) as carol,
    ):
        await connect(alice, bob, three.bob.uri)
        for node in (three.alice, three.bob):
            await node.event("call_secured")
        if attended:
            await connect(alice, carol, uri)
            await three.carol.event("call_secured", peer=three.alice.uri)
        calls = await call_ids(three.alice)
        where = ("--with", calls[uri]) if attended else (uri,)
        assert await ordered(three.alice, "transfer", calls[three.bob.uri], *where) == {
            "transferred": True,
            "to": uri,
        }
        near = await three.bob.event("call_secured", peer=uri)
        far = await three.carol.event("call_secured", peer=three.bob.uri)
        assert near["words"] == far["words"]
        for _ in calls:
            await alice.event("CALL_CLOSED")
            await three.alice.event("call_ended")
        assert await call_ids(three.alice) == {}
        await hear(three, (bob, "carol"), (carol, "bob"))
        await carol.hang_up()
        await bob.event("CALL_CLOSED")


async def test_linphone_is_sent_on(three: Three) -> None:
    line = Line.of(three.bob)
    async with (
        three.phone(three.alice) as alice,
        three.phone(three.carol) as carol,
        Linphone(line, three.tones["bob"]) as bob,
    ):
        await three.bob.event("phone_registered")
        await alice.dial(three.bob.uri)
        await alice.event("CALL_ESTABLISHED")
        await three.bob.event("call_secured")
        await alice.transfer(three.carol.uri)
        await carol.event("CALL_INCOMING")
        await carol.accept()
        await alice.event("CALL_CLOSED")
        near = await three.bob.event("call_secured", peer=three.carol.uri)
        far = await three.carol.event("call_secured", peer=three.bob.uri)
        assert near["words"] == far["words"]
        await hear(three, (carol, "bob"))
        await carol.hang_up()
        await bob.says("Call terminated", "ended")
        rate, heard = read_wav(bob.recording)
        assert abs(main_frequency(heard[-rate:-400], rate) - TONES["carol"]) < 5


async def test_a_blind_transfer_by_linphone_to_somebody_who_declines(three: Three) -> None:
    line = Line.of(three.alice)
    async with (
        three.phone(three.bob) as bob,
        three.phone(three.carol) as carol,
        Linphone(line, three.tones["alice"]) as alice,
    ):
        await three.alice.event("phone_registered")
        alice.command(f"call {three.bob.uri}")
        await bob.event("CALL_INCOMING")
        await bob.accept()
        await three.alice.event("call_secured")
        alice.command(f"transfer {three.carol.uri}")
        await carol.event("CALL_INCOMING")
        await carol.hang_up()
        assert (await three.bob.event("call_refused"))["status"] == 486
        await bob.hang_up()
        await three.alice.event("call_ended")


async def test_calls_go_on_to_who_was_dialled_in(three: Three) -> None:
    alice_calls = ControlClient(three.alice.data).request
    bob_wants = ControlClient(three.bob.data).request
    async with (
        three.phone(three.alice) as alice,
        three.phone(three.bob) as bob,
        three.phone(three.carol) as carol,
    ):
        await bob.dial("sip:*72carol@mesh")
        assert (await three.bob.event("settings_changed"))["forward_always"] == three.carol.uri
        await bob.event("CALL_ESTABLISHED")
        await bob.hang_up()
        await bob.event("CALL_CLOSED")
        await alice.dial(three.bob.uri)
        await carol.event("CALL_INCOMING")
        assert not bob.journal.has("CALL_INCOMING")
        told = await three.alice.event("call_forwarded")
        assert (told["by"], told["to"], told["reason"]) == (three.bob.uri, three.carol.uri, "unconditional")
        await answer(alice, carol)
        near = await three.alice.event("call_secured", peer=three.carol.uri)
        far = await three.carol.event("call_secured", peer=three.alice.uri)
        assert near["words"] == far["words"]
        await hear(three, (alice, "carol"), (carol, "alice"))
        await carol.hang_up()
        await alice.event("CALL_CLOSED")
        (latest,) = (await asyncio.to_thread(alice_calls, "GET", "/v1/history?last=1"))["history"]
        assert (latest["peer"], latest["forwarded_by"]) == (three.carol.uri, three.bob.uri)
        changes = {"forward_always": "", "forward_no_answer": "carol", "no_answer_seconds": 5}
        await asyncio.to_thread(bob_wants, "PATCH", "/v1/settings", changes)
        three.alice.journal.forget()
        carol.journal.forget()
        await alice.dial(three.bob.uri)
        await bob.event("CALL_INCOMING")
        await carol.event("CALL_INCOMING")
        assert (await three.alice.event("call_forwarded"))["reason"] == "no-answer"
        await answer(alice, carol)
        await three.alice.event("call_secured", peer=three.carol.uri)
        await hear(three, (alice, "carol"), (carol, "alice"))
        await alice.hang_up()
        await carol.event("CALL_CLOSED")
        await asyncio.to_thread(bob_wants, "PATCH", "/v1/settings", {"forward_no_answer": ""})
