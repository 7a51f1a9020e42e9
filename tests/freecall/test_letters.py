"""Letters between two people, whoever is away: delivered once, kept sealed, and their writers told."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from freecall.address_book import Addressee
from freecall.letter_box import Kept, Quota
from freecall.letter_desk import DAY, RECEIPT
from freecall.letters import Letters, MessageWrong
from sipgate.events import (
    GatewayEvent,
    MessageDelivered,
    MessageExpired,
    MessageKept,
    MessageReceived,
    MessageRefused,
    MessageSent,
)
from sipgate.messages.to_phones import Delivery
from sipgate.ports import LocalUser, Peer, Refusal, Taken, Text
from trust.keyring import BadKey, KeyInfo, Keyring, open_keyring
from trust.letter import Letter, seal_letter

WORDS = "the treasure, 石の下 💎".encode()
TEXT = Text("text/plain;charset=UTF-8", WORDS)
TYPING = Text("application/im-iscomposing+xml", b"<isComposing/>")
READ = Text("message/imdn+xml", b"<imdn/>")


class Plain:
    """A keyring without cryptography, for thousands of steps: the key is the fingerprint."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint

    async def sign(self, data: bytes) -> bytes:
        return self.fingerprint.encode() + data[:100]

    async def verify(self, data: bytes, signature: bytes, key: bytes) -> str:
        assert signature == key + data[:100]
        return key.decode()

    async def encrypt_to(self, key: bytes, data: bytes) -> bytes:
        return key + data[::-1]

    async def decrypt(self, message: bytes) -> bytes:
        assert message[:40] == self.fingerprint.encode()
        return message[:39:-1]

    async def inspect(self, key: bytes) -> KeyInfo:
        return KeyInfo(key.decode(), (), expired=False, revoked=False)

    async def export(self) -> bytes:
        return self.fingerprint.encode()

    async def aclose(self) -> None:
        pass


@dataclass
class Person:
    """One person's node in a world where each node, phone and answer may be there or not."""

    name: str
    keyring: Keyring
    key: bytes
    data: Path
    world: "World"
    up: bool = True
    phone: bool = True
    answers: bool = True
    known: bool = True
    refuses: Refusal | None = None
    quota: Quota = field(default_factory=Quota)
    shown: list[Delivery] = field(default_factory=list)
    events: list[GatewayEvent] = field(default_factory=list)
    letters: Letters = field(init=False)

    def __post_init__(self) -> None:
        self.start()

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@mesh"

    @property
    def user(self) -> LocalUser:
        return LocalUser(self.uri, self.name, self.name, self.key, b"", "")

    @property
    def peer(self) -> Peer:
        trust = "pinned" if self.known else "new"
        return Peer(self.uri, self.name, trust, self.keyring.fingerprint, b"node", self.known)  # type: ignore[arg-type]

    def start(self) -> None:
        """Begin anew with what is on disk, as after a power cut."""
        self.letters = Letters(
            self.user,
            self.keyring,
            self.world,  # type: ignore[arg-type]
            self.data,
            emit=self.events.append,
            clock=lambda: self.world.now,
            keep_days=7,
            quota=self.quota,
        )
        self.letters.connect(self)  # type: ignore[arg-type]

    # what the gateway does

    async def to_phones(self, _user: LocalUser, delivery: Delivery) -> None:
        if not self.phone:
            raise Refusal(480, "No phone is on")
        self.shown.append(delivery)

    async def to_node(self, _user: LocalUser, peer: Peer, letter: bytes) -> Taken:
        there = self.world.people[peer.uri]
        self.world.carried.append(letter)
        if not there.up:
            raise Refusal(480, "away")
        if there.refuses is not None:
            raise there.refuses
        taken = await there.letters.receive(there.user, self.peer, self.key, letter)
        if not there.answers:
            raise Refusal(480, "the answer was lost")
        return taken

    # what a test does

    async def send(self, to: "Person", text: Text = TEXT) -> Taken:
        return await self.letters.send(self.user, to.uri, text)

    async def rounds(self) -> None:
        """Do what `Letters.run` does when its time has come."""
        outbox, inbox = self.letters._outbox, self.letters._inbox
        if self.phone:
            await inbox.deliver()
        await inbox.tell_expired(inbox.expire())
        outbox.expire()
        for fingerprint in {kept.fingerprint for kept in self.letters._desk.box.all("out")}:
            await outbox._try(fingerprint)
        await outbox.tell_phones()

    def told(self, kind: type[GatewayEvent]) -> list[GatewayEvent]:
        return [event for event in self.events if isinstance(event, kind)]

    def texts(self) -> list[bytes]:
        """What the phone has shown, but for notices."""
        return [delivery.text.body for delivery in self.shown if delivery.message]

    def notices(self) -> list[str]:
        return [delivery.text.body.decode() for delivery in self.shown if not delivery.message]

    @property
    def box(self) -> list[str]:
        return sorted(path.name.partition("-")[0] for path in (self.data / "letters").glob("*.letter"))


@dataclass
class World:
    """Stands in for the address book."""

    people: dict[str, Person] = field(default_factory=dict)
    carried: list[bytes] = field(default_factory=list)
    now: float = 1_800_000_000.0
    problem: Refusal | None = None

    async def find(self, uri: str) -> Addressee:
        if self.problem is not None:
            raise self.problem
        person = self.people[uri]
        return Addressee(person.peer, person.key)

    async def where(self, uri: str, _fingerprint: str) -> Peer:
        return (await self.find(uri)).peer

    def person(self, uri: str, _fingerprint: str) -> Peer:
        return self.people[uri].peer

    def add(self, name: str, keyring: Keyring, key: bytes, data: Path, quota: Quota | None = None) -> Person:
        data.mkdir(exist_ok=True)
        person = Person(name, keyring, key, data, self, quota=quota or Quota())
        self.people[person.uri] = person
        return person

    async def settle(self) -> None:
        for _ in range(3):
            for person in self.people.values():
                if person.up:
                    await person.rounds()


@dataclass
class Two:
    world: World
    alice: Person
    bob: Person


@pytest_asyncio.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    """Return alice and bob, with real keys."""
    world = World()
    made = []
    for name in ("alice", "bob"):
        keyring = await open_keyring(tmp_path / f"key-{name}", f"{name} <sip:{name}@mesh>", backend="sequoia")
        made.append(world.add(name, keyring, await keyring.export(), tmp_path / name))
    yield Two(world, *made)


async def test_a_text_is_delivered_and_told(two: Two) -> None:
    assert await two.alice.send(two.bob) == "delivered"
    (shown,) = two.bob.shown
    assert (shown.text, shown.sender.uri, shown.written_at) == (TEXT, two.alice.uri, None)
    sent, delivered = two.alice.events
    assert isinstance(sent, MessageSent)
    assert delivered == MessageDelivered(sent.message, two.bob.uri)
    (received,) = two.bob.events
    assert isinstance(received, MessageReceived)
    assert (received.message, received.display, received.kept) == (sent.message, "alice · same key", False)
    assert two.alice.box == two.bob.box == []
    assert two.alice.notices() == []


async def test_no_event_has_the_text(two: Two) -> None:
    two.bob.phone = False
    await two.alice.send(two.bob)
    two.bob.phone = True
    await two.world.settle()
    words = "treasure"
    assert not any(words in repr(event) for person in (two.alice, two.bob) for event in person.events)


async def test_the_node_away_then_back(two: Two) -> None:
    two.bob.up = False
    assert await two.alice.send(two.bob) == "kept"
    assert two.alice.box == ["out"]
    two.alice.start()
    await two.world.settle()
    assert two.bob.shown == []
    two.bob.up = True
    await two.world.settle()
    assert two.bob.texts() == [WORDS]
    assert two.alice.box == two.bob.box == []
    kept, delivered = two.alice.events[1:]
    assert isinstance(kept, MessageKept)
    assert (kept.direction, kept.where) == ("out", "here")
    assert isinstance(delivered, MessageDelivered)
    (notice,) = two.alice.notices()
    assert notice.startswith("Delivered: your message of ")


async def test_no_phone_on_then_one(two: Two) -> None:
    two.bob.phone = False
    assert await two.alice.send(two.bob) == "kept"
    assert (two.alice.box, two.bob.box) == (["out"], ["in"])
    await two.alice.rounds()
    assert two.alice.notices() == [
        "No phone of bob is on. Your message waits, encrypted, for 7 days; you will hear what becomes of it."
    ]
    two.bob.start()
    two.bob.phone = True
    await two.world.settle()
    (shown,) = two.bob.shown
    assert (shown.text, shown.sender.trust) == (TEXT, "pinned")
    assert shown.written_at == two.world.now
    assert two.alice.box == two.bob.box == []
    assert len(two.alice.told(MessageDelivered)) == 1
    assert len(two.alice.notices()) == 2


async def test_nothing_stands_in_the_clear_on_either_disk(two: Two) -> None:
    two.bob.phone = False
    await two.alice.send(two.bob)
    two.bob.up = False
    await two.alice.send(two.bob)
    for person in (two.alice, two.bob):
        for path in person.data.rglob("*"):
            assert not path.is_file() or b"treasure" not in path.read_bytes()
    assert not any(b"treasure" in letter or b"alice" in letter for letter in two.world.carried)


async def test_when_the_answer_is_lost_it_is_not_shown_twice(two: Two) -> None:
    two.bob.answers = False
    assert await two.alice.send(two.bob) == "kept"
    assert two.bob.texts() == [WORDS]
    await two.world.settle()
    two.bob.start()
    two.bob.answers = True
    await two.world.settle()
    assert two.bob.texts() == [WORDS]
    assert len(two.alice.told(MessageDelivered)) == 1
    assert two.alice.box == []


async def test_a_letter_that_somebody_sends_again_is_not_shown_again(two: Two) -> None:
    await two.alice.send(two.bob)
    (letter,) = two.world.carried
    two.bob.start()
    for _ in range(3):
        assert (
            await two.bob.letters.receive(two.bob.user, two.alice.peer, two.alice.key, letter) == "delivered"
        )
    two.bob.phone = False
    await two.alice.send(two.bob)
    for _ in range(3):
        answer = await two.bob.letters.receive(
            two.bob.user, two.alice.peer, two.alice.key, two.world.carried[-1]
        )
        assert answer == "kept"
    two.bob.phone = True
    await two.bob.rounds()
    assert two.bob.texts() == [WORDS, WORDS]


async def test_the_same_letter_twice_at_once_is_shown_once(two: Two) -> None:
    _, sealed = await two.alice.letters._desk.seal(Addressee(two.bob.peer, two.bob.key), TEXT)
    waits, shown = asyncio.Event(), two.bob.to_phones

    async def slow(_user: LocalUser, delivery: Delivery) -> None:
        await waits.wait()
        await shown(_user, delivery)

    two.bob.to_phones = slow  # type: ignore[method-assign]
    receive = two.bob.letters.receive
    async with asyncio.TaskGroup() as group:
        first = group.create_task(receive(two.bob.user, two.alice.peer, two.alice.key, sealed))
        while not two.bob.letters._inbox._under_way:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.01)
        with pytest.raises(Refusal, match="just being delivered") as caught:
            await receive(two.bob.user, two.alice.peer, two.alice.key, sealed)
        assert caught.value.status == 491
        waits.set()
    assert first.result() == "delivered"
    assert two.bob.texts() == [WORDS]


async def test_who_did_not_write_it_cannot_bring_it(two: Two) -> None:
    _, sealed = await two.alice.letters._desk.seal(Addressee(two.bob.peer, two.bob.key), TEXT)
    for sender, key in (
        (two.bob.peer, two.alice.key),
        (two.alice.peer, two.bob.key),
        (two.bob.peer, two.bob.key),
    ):
        with pytest.raises(Refusal) as caught:
            await two.bob.letters.receive(two.bob.user, sender, key, sealed)
        assert caught.value.status == 493
    with pytest.raises(Refusal) as caught:
        await two.bob.letters.receive(two.bob.user, two.alice.peer, two.alice.key, b"garbage")
    assert caught.value.status == 493
    assert two.bob.shown == []
    assert two.bob.box == []


@pytest.mark.parametrize("content_type", ["image/png", "text", RECEIPT + "s"])
async def test_a_letter_that_is_no_text_reaches_no_phone(two: Two, content_type: str) -> None:
    letter = Letter(bytes(16), two.alice.uri, two.bob.uri, two.bob.keyring.fingerprint, 1, content_type, b"x")
    sealed = await seal_letter(two.alice.keyring, letter, two.bob.key)
    with pytest.raises(Refusal) as caught:
        await two.bob.letters.receive(two.bob.user, two.alice.peer, two.alice.key, sealed)
    assert caught.value.status in (400, 415)
    assert two.bob.shown == []


async def test_that_somebody_is_typing_is_never_kept(two: Two) -> None:
    assert await two.alice.send(two.bob, TYPING) == "delivered"
    for change in ("phone", "up"):
        setattr(two.bob, change, False)
        with pytest.raises(Refusal) as caught:
            await two.alice.send(two.bob, TYPING)
        assert caught.value.status == 480
    assert two.alice.box == two.bob.box == []
    assert two.alice.told(MessageKept) == two.bob.told(MessageReceived) == []


async def test_what_a_blocked_person_writes_seems_to_wait_and_is_never_shown(two: Two) -> None:
    two.bob.letters.leave_unread(lambda fingerprint: fingerprint == two.alice.keyring.fingerprint)
    assert await two.alice.send(two.bob) == "kept"
    with pytest.raises(Refusal, match="No phone of bob is switched on"):
        await two.alice.send(two.bob, Text("application/im-iscomposing+xml", b"<typing/>"))
    assert not two.bob.box
    written_to: list[Peer] = []
    two.bob.letters.tell_written_to(written_to.append)
    assert await two.bob.send(two.alice) == "delivered"
    assert [peer.uri for peer in written_to] == [two.alice.uri]
    await two.bob.rounds()
    assert not two.bob.texts()
    two.world.now += 15 * DAY
    await two.alice.rounds()
    assert two.alice.told(MessageExpired)


async def test_what_waited_when_its_writer_was_blocked_is_left_unread(two: Two) -> None:
    two.bob.phone = False
    await two.alice.send(two.bob)
    two.bob.letters.leave_unread(lambda _: True)
    two.bob.phone = True
    await two.bob.rounds()
    assert not two.bob.texts()
    assert not two.bob.box


async def test_a_delivery_notice_is_kept_without_a_word(two: Two) -> None:
    two.bob.up = False
    assert await two.alice.send(two.bob, READ) == "kept"
    two.bob.up = True
    await two.world.settle()
    assert two.bob.texts() == [READ.body]
    assert two.alice.notices() == []
    assert two.alice.box == []


async def test_after_seven_days_it_is_given_up_and_the_writer_told(two: Two) -> None:
    two.bob.up = False
    await two.alice.send(two.bob)
    two.world.now += 7 * DAY + 1
    two.alice.phone = False
    await two.alice.rounds()
    assert len(two.alice.told(MessageExpired)) == 1
    two.alice.phone = True
    two.alice.start()
    await two.alice.rounds()
    assert two.alice.notices()[-1].endswith("bob did not come back in time.")
    assert two.alice.box == []
    two.bob.up = True
    await two.world.settle()
    assert two.bob.shown == []


async def test_after_seven_days_in_their_node_both_are_told(two: Two) -> None:
    two.bob.phone = False
    await two.alice.send(two.bob)
    two.world.now += 7 * DAY + 1
    await two.world.settle()
    assert len(two.alice.told(MessageExpired)) == len(two.bob.told(MessageExpired)) == 1
    assert two.alice.box == two.bob.box == []


async def test_who_refuses_for_good_is_not_asked_again(two: Two) -> None:
    two.bob.refuses = Refusal(403, "Strangers may not write")
    with pytest.raises(Refusal, match="Strangers"):
        await two.alice.send(two.bob)
    assert two.alice.box == []
    two.bob.refuses, two.bob.up = None, False
    await two.alice.send(two.bob)
    two.bob.refuses, two.bob.up = Refusal(403, "Strangers may not write"), True
    await two.world.settle()
    assert two.alice.notices()[-1].endswith("Strangers may not write")
    assert len(two.alice.told(MessageRefused)) == 2
    assert two.alice.box == []
    assert len(two.world.carried) == 3


async def test_nobody_of_that_name(two: Two) -> None:
    two.world.problem = Refusal(404, "Nobody")
    with pytest.raises(Refusal, match="Nobody"):
        await two.alice.send(two.bob)
    (refused,) = two.alice.events
    assert refused == MessageRefused("", two.bob.uri, "out", 404, "Nobody")


async def test_a_key_without_encryption_subkey_is_told(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cannot(key: bytes, data: bytes) -> bytes:
        raise BadKey("nothing can be encrypted to it")

    monkeypatch.setattr(two.alice.keyring, "encrypt_to", cannot)
    with pytest.raises(Refusal, match=r"bob cannot be written to: .*nothing can be encrypted"):
        await two.alice.send(two.bob)


async def test_a_full_mailbox_is_told_to_who_writes(two: Two) -> None:
    two.bob.quota = Quota(letters_per_person=2)
    two.bob.start()
    two.bob.phone = False
    for _ in range(2):
        assert await two.alice.send(two.bob) == "kept"
    await two.alice.send(two.bob)  # refused there for now, so it waits here
    waiting = (await two.alice.letters.waiting())["out"]
    assert [one["state"] for one in waiting] == ["left", "left", "waiting"]
    two.bob.phone = True
    await two.world.settle()
    assert two.bob.texts() == [WORDS] * 3

    two.alice.quota = Quota(letters_per_person=1)
    two.alice.start()
    two.bob.up = False
    await two.alice.send(two.bob)
    with pytest.raises(Refusal, match="bob is away, and 1 messages wait already") as caught:
        await two.alice.send(two.bob)
    assert caught.value.status == 480


async def test_nobody_can_end_the_waiting_of_another_s_letter(two: Two) -> None:
    two.bob.phone = False
    await two.alice.send(two.bob)
    (kept,) = two.alice.letters._desk.box.all("out")
    two.alice.letters._outbox.take_receipt("C" * 40, "delivered", kept.id)
    two.alice.letters._outbox.take_receipt(two.bob.keyring.fingerprint, "delivered", "f" * 32)
    assert two.alice.letters._desk.box.all("out") == [kept]


async def test_orders_by_the_control_api(two: Two) -> None:
    answer = await two.alice.letters.write({"uri": two.bob.uri, "text": WORDS.decode()})
    assert answer["taken"] == "delivered"
    assert two.bob.texts() == [WORDS]
    for wrong in (
        {},
        {"uri": 1, "text": "x"},
        {"uri": two.bob.uri, "text": ""},
        {"uri": two.bob.uri, "text": "x" * 16385},
        {"uri": two.bob.uri, "text": "x", "content_type": "image/png"},
        {"uri": two.bob.uri, "text": "x", "content_type": "text/plain\r\nX: y"},
    ):
        with pytest.raises(MessageWrong):
            await two.alice.letters.write(wrong)
    two.bob.phone = False
    await two.alice.send(two.bob)
    (waiting,) = (await two.bob.letters.waiting())["in"]
    assert (waiting["from"], waiting["text"]) == (two.alice.uri, WORDS.decode())


async def test_the_rounds_run_by_themselves(two: Two) -> None:
    """With real time: word of the other node is enough to bring what waits."""
    two.bob.up = False
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(person.letters.run()) for person in (two.alice, two.bob)]
        assert await two.alice.send(two.bob) == "kept"
        two.bob.up = True
        two.alice.letters.heard_from(two.bob.keyring.fingerprint)
        async with asyncio.timeout(5):
            while not (two.bob.texts() and len(two.alice.notices()) == 2):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()


async def test_a_full_disk_does_not_end_the_service(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("freecall.letters.DISK_PAUSE", 0.01)
    two.bob.up = False
    assert await two.alice.send(two.bob) == "kept"
    box = two.alice.letters._desk.box
    change, failures = box.change, iter([OSError(28, "No space left on device")])

    def full_once(kept: Kept, **changes: object) -> Kept:
        for failure in failures:
            raise failure
        return change(kept, **changes)

    monkeypatch.setattr(box, "change", full_once)
    two.bob.up = True
    async with asyncio.TaskGroup() as group:
        running = group.create_task(two.alice.letters.run())
        two.alice.letters.heard_from(two.bob.keyring.fingerprint)
        async with asyncio.timeout(5):
            while two.alice.box:
                two.alice.letters.heard_from(two.bob.keyring.fingerprint)
                await asyncio.sleep(0.01)
        running.cancel()
    assert two.bob.texts() == [WORDS]


actions = st.lists(
    st.sampled_from(
        [
            *("a writes", "b writes", "a writes", "b writes"),
            *("a up", "a down", "b up", "b down", "a phone", "a no phone", "b phone", "b no phone"),
            *("a deaf", "b deaf", "a hears", "b hears", "a restarts", "b restarts", "a round", "b round"),
        ]
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(actions)
async def test_whatever_happens_each_letter_comes_once_and_its_writer_hears_of_it(
    happenings: list[str],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = World()
        a, b = (
            world.add(name, Plain(letter * 40), (letter * 40).encode(), Path(folder) / name)
            for name, letter in (("alice", "A"), ("bob", "B"))
        )
        written: dict[str, list[bytes]] = {"alice": [], "bob": []}
        for number, happening in enumerate(happenings):
            person, other = (a, b) if happening[0] == "a" else (b, a)
            match happening[2:]:
                case "writes" if person.up:
                    body = b"%d" % number
                    written[other.name].append(body)
                    await person.send(other, Text("text/plain", body))
                case "up" | "down" as what:
                    person.up = what == "up"
                case "phone" | "no phone" as what:
                    person.phone = what == "phone"
                case "deaf" | "hears" as what:
                    person.answers = what == "hears"
                case "restarts":
                    person.start()
                case "round" if person.up:
                    await person.rounds()
                case _:
                    pass
        for person in (a, b):
            person.up = person.phone = person.answers = True
        await world.settle()
        for person, other in ((a, b), (b, a)):
            assert sorted(person.texts()) == sorted(written[person.name])
            assert len(other.told(MessageDelivered)) == len(written[person.name])
            assert person.box == []
