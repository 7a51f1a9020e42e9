"""Receipts are exchanged once, for signed calls, between nodes that both want them; what comes unasked is dropped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from freecall.events import Event, EventLog
from freecall.receipts import ASK, GIVE, MAX_PENDING, TRIES_PER_CALL, Receipts
from freecall.supervise import Supervisor
from sipgate.ports import Peer
from tests.trust.memory_store import MemoryStore
from trust.keyring import Keyring, open_keyring
from trust.pins import Pins

SESSION = "ab" * 32


@dataclass
class Side:
    """One person's receipts, and what they posted."""

    uri: str
    keyring: Keyring
    receipts: Receipts
    folder: Path
    posted: list[tuple[str, bytes]] = field(default_factory=list)

    async def post(self, _uri: str, _fingerprint: str, _key: bytes, content_type: str, body: bytes) -> None:
        """Note the letter."""
        self.posted.append((content_type, body))

    def call(
        self, direction: str, peer: "Side", *, signed: bool = True, call: str = "c1", hidden: bool = False
    ) -> None:
        """Go through a call."""
        told: list[tuple[str, dict[str, object]]] = [
            ("call_started", {"direction": direction, "peer": peer.uri, "trust": "new", "anonymous": hidden}),
            ("call_answered", {}),
            ("call_secured", {"signed": signed, "fingerprint": peer.keyring.fingerprint, "session": SESSION}),
            ("call_ended", {}),
        ]
        for at, (name, fields) in enumerate(told):
            self.receipts.observe(Event(name, 1_800_000_000.0 + at, {"call": call, **fields}))

    async def hear(self, sender: "Side", content_type: str, body: bytes) -> None:
        """Take a letter."""
        peer = Peer(sender.uri, "x", "new", sender.keyring.fingerprint, b"", known=False)
        await self.receipts.hear(peer, await sender.keyring.export(), content_type, body)

    @property
    def files(self) -> int:
        """How many files were kept."""
        return len(list(self.folder.glob("*")))


@asynccontextmanager
async def two(tmp_path: Path, *, bob_wants: bool = True) -> AsyncIterator[tuple[Side, Side]]:
    sides = []
    async with asyncio.TaskGroup() as group:
        for name, wanted in (("alice", True), ("bob", bob_wants)):
            uri = f"sip:{name}@mesh"
            keyring = await open_keyring(tmp_path / name, f"{name} <{uri}>", backend="sequoia")
            log, folder = EventLog(lambda: 0.0), tmp_path / f"{name}-receipts"
            pins = Pins(MemoryStore())
            receipts = Receipts((uri, keyring), folder, pins, log, Supervisor(group), wanted=wanted)
            sides.append((Side(uri, keyring, receipts, folder), pins))
        (alice, alices), (bob, bobs) = sides
        alices.pin(bob.uri, bob.keyring.fingerprint, await bob.keyring.export(), 1.0)
        bobs.pin(alice.uri, alice.keyring.fingerprint, await alice.keyring.export(), 1.0)
        for side in (alice, bob):
            side.receipts.post = side.post
        yield alice, bob


async def settle() -> None:
    """Let the letters be written: signing with the embedded keyring does not wait."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_wish_is_answered_and_each_side_keeps_the_others_word_once(tmp_path: Path) -> None:
    async with two(tmp_path) as (alice, bob):
        alice.call("out", bob)
        bob.call("in", alice)
        await settle()
        ((asked, wish),) = alice.posted
        assert asked == ASK
        assert SESSION.encode() not in wish
        for _ in range(3):
            await bob.hear(alice, ASK, wish)
            await settle()
        ((given, theirs),) = bob.posted
        assert given == GIVE
        assert (alice.files, bob.files) == (0, 0)
        for _ in range(3):
            await alice.hear(bob, GIVE, theirs)
            await settle()
        assert len(alice.posted) == 2
        await bob.hear(alice, *alice.posted[1])
        assert (alice.files, bob.files) == (3, 3)


async def test_of_a_call_without_a_name_there_is_no_receipt(tmp_path: Path) -> None:
    async with two(tmp_path) as (alice, bob):
        alice.call("out", bob, hidden=True)
        bob.call("in", alice, hidden=True)
        await settle()
        assert alice.posted == bob.posted == []


async def test_a_wish_that_comes_before_the_end_is_answered_at_the_end(tmp_path: Path) -> None:
    async with two(tmp_path) as (alice, bob):
        alice.call("out", bob)
        await settle()
        told: list[tuple[str, dict[str, object]]] = [
            ("call_started", {"direction": "in", "peer": alice.uri, "trust": "pinned", "anonymous": False}),
            ("call_answered", {}),
            ("call_secured", {"signed": True, "fingerprint": alice.keyring.fingerprint, "session": SESSION}),
        ]
        for name, fields in told:
            bob.receipts.observe(Event(name, 1.0, {"call": "c", **fields}))
        await bob.hear(alice, *alice.posted[0])
        await settle()
        assert bob.posted == []
        bob.receipts.observe(Event("call_ended", 2.0, {"call": "c"}))
        await settle()
        assert [kind for kind, _ in bob.posted] == [GIVE]


async def test_who_wants_none_gives_none_and_keeps_none(tmp_path: Path) -> None:
    async with two(tmp_path, bob_wants=False) as (alice, bob):
        alice.call("out", bob)
        bob.call("in", alice)
        await settle()
        await bob.hear(alice, *alice.posted[0])
        await settle()
        assert bob.posted == []
        assert (alice.files, bob.files) == (0, 0)


async def test_an_unsigned_call_has_no_receipt(tmp_path: Path) -> None:
    async with two(tmp_path) as (alice, bob):
        alice.call("out", bob, signed=False)
        await settle()
        assert alice.posted == []


@pytest.mark.parametrize("body", [b"", b"\x00", b"\xff\xff" + b"x" * 50, b"\nSession: " + SESSION.encode()])
async def test_what_is_no_receipt_is_dropped_after_a_few_tries(tmp_path: Path, body: bytes) -> None:
    async with two(tmp_path) as (alice, bob):
        alice.call("out", bob)
        for _ in range(TRIES_PER_CALL + 3):
            await alice.hear(bob, GIVE, body)
            await alice.hear(alice, GIVE, body)
        assert alice.files == 0


async def test_calls_that_nobody_answers_for_are_forgotten_beyond_a_limit(tmp_path: Path) -> None:
    async with two(tmp_path) as (alice, bob):
        for number in range(MAX_PENDING + 1):
            alice.call("out", bob, call=f"c{number}")
        assert len(alice.receipts._calls) == MAX_PENDING
