"""The policy of one user: the door, blocking, and what is told of it."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from freecall.errors import FreeCallError, NotAMeshUri
from freecall.mesh_uri import ANONYMOUS
from freecall.policy.budget import HOUR
from freecall.policy.called import DAY, MAX_CALLED
from freecall.policy.desk import TELL_EVERY, NobodyToBlock, PolicyDesk, Rules
from freecall.policy.ladder import Anonymous, Rung, Strangers
from freecall.policy.work import Worker
from freecall.store import FileStore
from sipgate.events import CallMissed, CallStarted
from sipgate.ports import IncomingCaller, Peer, Refusal
from trust.delegation import SignedDelegation
from trust.pins import Pins
from trust.protocol.delegation import Delegation
from trust.uris import self_certifying_uri

ALICE, CAROL = "A" * 40, "C" * 40


def caller(name: str = "alice", key: str = ALICE, host: str = "192.0.2.1", proof: str = "") -> IncomingCaller:
    uri, node = f"sip:{name}@mesh", b"n" * 32
    signed = SignedDelegation(Delegation(uri, node, 1, 2_000_000_000), key, b"signature")
    return IncomingCaller(uri, "sip:bob@mesh", node, b"key", bytes(signed), name, host, proof)


@dataclass
class House:
    """Bob's policy, with an admission that believes everybody who is not called Mallory."""

    folder: Path
    strangers: Strangers = "ring"
    rings: int = 3
    anonymous: Anonymous = "stranger"
    now: float = 1000.0
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pins = Pins(FileStore(self.folder / "pins.json"))
        self.desk = self.open()

    def open(self) -> PolicyDesk:
        desk = PolicyDesk(
            "bob",
            Rules(self.strangers, self.rings, self.anonymous),
            FileStore(self.folder / "blocked.json"),
            self.pins,
            self.rank,
            emit=lambda name, /, **fields: self.told.append((name, fields)),
            clock=lambda: 1_800_000_000.0,
            monotonic=lambda: self.now,
        )
        desk.part_from = self.hidden.append
        return desk

    async def rank(self, uri: str, fingerprint: str) -> Rung:
        pin = self.pins.get(uri)
        return Rung.CONTACT if pin is not None and pin.fingerprint == fingerprint else Rung.STRANGER

    async def admit(self, caller: IncomingCaller) -> Peer:
        if "mallory" in caller.uri:
            raise Refusal(403, "The caller could not show who they are")
        fingerprint = SignedDelegation.parse(caller.delegation).fingerprint
        known = await self.rank(caller.uri, fingerprint) is Rung.CONTACT
        if "anonymous" in caller.uri:
            return Peer(ANONYMOUS, "Anonymous", "anonymous", fingerprint, b"n" * 32, known=False)
        trust = "pinned" if known else "new"
        return Peer(caller.uri, caller.display_name, trust, fingerprint, b"n" * 32, known)  # type: ignore[arg-type]

    async def resolve(self, uri: str) -> Peer:
        """Find Alice, by whatever name."""
        return Peer(uri, "alice", "new", ALICE, b"n" * 32, known=False)

    async def call(self, who: IncomingCaller) -> int:
        """Return 180 when it rings, else the status of the refusal."""
        try:
            await self.desk.door.knock(who)
            await self.desk.guard(self).admit(who)
        except Refusal as refusal:
            return refusal.status
        return 180

    async def refusal(self, who: IncomingCaller) -> Refusal:
        with pytest.raises(Refusal) as refused:
            await self.desk.door.knock(who)
        return refused.value


async def test_a_stranger_rings_twice_and_then_hears_when_to_call_again(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert [await house.call(caller()) for _ in range(3)] == [180, 180, 480]
    house.now += 60
    refusal = await house.refusal(caller())
    assert (refusal.retry_after, refusal.reason) == (
        HOUR - 59,
        "bob takes few calls from strangers. Write a message, or call in 60 min.",
    )


async def test_a_contact_rings_while_strangers_are_turned_away(tmp_path: Path) -> None:
    house = House(tmp_path, "refuse")
    house.pins.pin("sip:alice@mesh", ALICE, b"key", 1.0)
    assert [await house.call(caller()) for _ in range(10)] == [180] * 10
    assert await house.call(caller("carol", CAROL)) == 403


@pytest.mark.parametrize(
    ("strangers", "status", "words"),
    [("message", 480, "Leave a message"), ("refuse", 403, "people they know")],
)
async def test_a_refusal_says_what_to_do(
    strangers: Strangers, status: int, words: str, tmp_path: Path
) -> None:
    refusal = await House(tmp_path, strangers).refusal(caller())
    assert refusal.status == status
    assert words in refusal.reason


async def test_whom_the_user_has_called_may_call_back_for_a_day(tmp_path: Path) -> None:
    house = House(tmp_path, "refuse")
    await house.desk.remember(house).resolve("sip:alice@mesh")
    assert [await house.call(caller()) for _ in range(5)] == [180] * 5
    assert await house.call(caller("other")) == 403
    assert await house.call(caller(key=CAROL)) == 403
    house.now += DAY
    assert await house.call(caller()) == 403


async def test_of_those_who_were_called_the_latest_are_remembered(tmp_path: Path) -> None:
    house = House(tmp_path, "refuse")
    directory = house.desk.remember(house)
    for number in range(MAX_CALLED + 1):
        await directory.resolve(f"sip:n{number}@mesh")
    assert len(house.desk._called) == MAX_CALLED
    assert await house.call(caller("n0")) == 403
    assert await house.call(caller("n1")) == 180


async def test_a_stranger_who_has_worked_rings(tmp_path: Path) -> None:
    house = House(tmp_path, "work")
    refusal = await house.refusal(caller())
    assert refusal.status == 401
    assert refusal.challenge is not None
    proof = await Worker(ALICE).prove(refusal.challenge, "sip:bob@mesh", lambda: True)
    assert proof is not None
    assert await house.call(caller("carol", CAROL, proof=proof)) == 401
    assert await house.call(caller(proof=proof)) == 180
    assert await house.call(caller(proof=proof)) == 401
    assert not house.told  # who is asked to work has not been turned away yet


async def test_who_cannot_show_their_key_takes_no_ring_of_others_and_gives_none_back(tmp_path: Path) -> None:
    house = House(tmp_path, rings=1)
    assert [await house.call(caller("mallory")) for _ in range(5)] == [403] * 5
    assert await house.call(caller()) == 180
    with pytest.raises(Refusal):
        await house.desk.guard(house).admit(caller("mallory"))  # as when it is a text: nothing was counted
    assert await house.call(caller("carol", CAROL, "198.51.100.1")) == 480


async def test_what_is_no_claim_is_refused_at_the_door(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert await house.call(replace(caller(), delegation=b"\xc1")) == 403
    assert await house.call(replace(caller(), uri="sip:alice@example.org")) == 403


async def test_a_flood_is_told_once_a_minute(tmp_path: Path) -> None:
    house = House(tmp_path, "refuse")
    for _ in range(10):
        await house.call(caller())
    house.now += TELL_EVERY
    await house.call(caller())
    assert house.told == [("strangers_turned_away", {"count": 1}), ("strangers_turned_away", {"count": 10})]


async def test_who_is_blocked_hears_what_all_hear_when_no_phone_is_on_and_is_seen_as_a_stranger(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    house.pins.pin("sip:alice@mesh", ALICE, b"key", 1.0)
    entry = house.desk.block("alice@mesh")
    assert entry == {"fingerprint": ALICE, "uri": "sip:alice@mesh", "since": 1_800_000_000.0}
    assert house.hidden == ["sip:alice@mesh"]
    writer = await house.desk.guard(house).admit(replace(caller(), purpose="text"))
    assert writer.fingerprint == ALICE  # let in, to be left unread
    with pytest.raises(Refusal) as refused:
        await house.desk.guard(house).admit(caller())
    assert (refused.value.status, refused.value.reason) == (480, "No phone of bob is switched on")
    watcher = await house.desk.hide(house).admit(caller())
    assert (watcher.known, watcher.trust) == (False, "new")
    house.desk = house.open()
    assert await house.call(caller()) == 480
    assert house.desk.blocked() == [entry]
    house.desk.unblock("alice@mesh")
    assert await house.call(caller()) == 180
    assert [name for name, _ in house.told] == ["person_blocked", "person_unblocked"]


async def test_a_blocked_stranger_takes_no_ring_of_others(tmp_path: Path) -> None:
    house = House(tmp_path, rings=1)
    house.desk.block(ALICE)
    assert await house.call(caller()) == 480
    assert await house.call(caller("carol", CAROL)) == 180


async def test_the_last_caller_is_blocked_by_key_under_every_name(tmp_path: Path) -> None:
    house = House(tmp_path)
    with pytest.raises(NobodyToBlock, match="Nobody has called"):
        house.desk.block_last_caller()
    await house.call(caller())
    house.desk.heed(CallStarted("1", "in", "sip:alice@mesh", "alice", "new", "id"))
    house.desk.heed(CallStarted("2", "out", "sip:carol@mesh", "carol", "new", "id"))
    house.desk.heed(CallStarted("3", "in", "sip:bob@mesh", "bob", "self", "id"))
    assert house.desk.block_last_caller()["fingerprint"] == ALICE
    assert await house.call(caller("other")) == 480
    assert house.desk.is_blocked(ALICE)


async def test_a_call_that_was_missed_was_one(tmp_path: Path) -> None:
    house = House(tmp_path)
    await house.call(caller("carol", CAROL))
    house.desk.heed(CallMissed("id", "bob", "sip:carol@mesh", "carol", "new"))
    assert house.desk.block_last_caller()["fingerprint"] == CAROL


async def test_strangers_write_fifteen_times_an_hour_and_all_of_them_thirty(tmp_path: Path) -> None:
    house = House(tmp_path, "message")
    guard = house.desk.guard(house)

    async def write(key: str, host: str) -> int:
        try:
            await guard.admit(replace(caller(key=key, host=host), purpose="text"))
        except Refusal as refusal:
            return refusal.status
        return 202

    assert [await write(ALICE, "192.0.2.1") for _ in range(16)] == [202] * 15 + [480]
    assert [await write(CAROL, "192.0.3.1") for _ in range(16)] == [202] * 15 + [480]
    assert await write("D" * 40, "192.0.4.1") == 480
    await house.desk.remember(house).resolve("sip:alice@mesh")
    assert await write(ALICE, "192.0.2.1") == 202
    house.now += HOUR
    assert await write("D" * 40, "192.0.4.1") == 202


def test_who_is_meant_may_be_said_in_several_ways(tmp_path: Path) -> None:
    house = House(tmp_path)
    spaced = " ".join(["CCCC"] * 10)
    assert house.desk.block(spaced.lower())["fingerprint"] == CAROL
    house.desk.unblock(CAROL)
    long = self_certifying_uri("carol", CAROL)
    assert house.desk.block(long) == {"fingerprint": CAROL, "uri": long, "since": 1_800_000_000.0}
    house.desk.unblock(spaced)
    assert house.desk.blocked() == []


def test_what_cannot_be_done_is_said(tmp_path: Path) -> None:
    desk = House(tmp_path).desk
    with pytest.raises(NobodyToBlock, match="fingerprint that fc-lookup shows"):
        desk.block("dave@mesh")
    with pytest.raises(NobodyToBlock, match="is not blocked"):
        desk.unblock(CAROL)
    with pytest.raises(NotAMeshUri):
        desk.block("sip:x@example.org")
    assert issubclass(NobodyToBlock, FreeCallError)


async def test_those_who_have_called_are_remembered_but_not_for_ever(tmp_path: Path) -> None:
    house = House(tmp_path)
    guard = house.desk.guard(house)
    for number in range(300):
        await guard.admit(caller(f"n{number}", f"{number:040X}"))
    assert len(house.desk._recent) == 200
    assert house.desk.block("n299@mesh")["fingerprint"] == f"{299:040X}"


def nobody(key: str = ALICE, host: str = "192.0.2.1") -> IncomingCaller:
    """Somebody under a key made for this call."""
    known = caller("alice", key, host)
    uri = self_certifying_uri("anonymous", key)
    signed = SignedDelegation(Delegation(uri, b"n" * 32, 1, 2_000_000_000), key, b"signature")
    return replace(known, uri=uri, delegation=bytes(signed), display_name="Anonymous")


async def test_who_does_not_say_who_they_are_is_a_stranger_under_whatever_key(tmp_path: Path) -> None:
    house = House(tmp_path)
    keys = [f"{number:040X}" for number in range(5)]
    rung = [await house.call(nobody(key, host=f"192.0.{number}.1")) for number, key in enumerate(keys)]
    assert rung == [180, 180, 180, 480, 480]


async def test_the_key_of_a_contact_does_not_open_the_door_to_an_anonymous_call(tmp_path: Path) -> None:
    house = House(tmp_path, strangers="refuse")
    house.pins.pin("sip:alice@mesh", ALICE, b"key", 1.0)
    house.pins.pin(self_certifying_uri("anonymous", ALICE), ALICE, b"key", 1.0)
    assert await house.call(caller()) == 180
    refused = await house.refusal(nobody())
    assert (refused.status, refused.reason) == (433, "bob takes no anonymous calls. Call with your name.")


@pytest.mark.parametrize(
    ("strangers", "anonymous", "status"),
    [("ring", "refuse", 433), ("refuse", "ring", 180), ("ring", "work", 401), ("message", "stranger", 480)],
)
async def test_anonymous_callers_may_have_a_rule_of_their_own(
    tmp_path: Path, strangers: Strangers, anonymous: Anonymous, status: int
) -> None:
    assert await House(tmp_path, strangers, anonymous=anonymous).call(nobody()) == status


async def test_the_last_caller_is_not_blocked_who_was_anonymous_and_the_user_hears_what_helps(
    tmp_path: Path,
) -> None:
    house = House(tmp_path)
    assert await house.call(nobody()) == 180
    house.desk.heed(CallStarted("1", "in", ANONYMOUS, "Anonymous", "anonymous", "id", anonymous=True))
    for blocks in (house.desk.block_last_caller, lambda: house.desk.block("anonymous")):
        with pytest.raises(NobodyToBlock, match='anonymous = "refuse"'):
            blocks()
    assert house.desk.blocked() == []
