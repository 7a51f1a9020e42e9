"""Two victims, a wire that is recorded, and a verdict: what did each of them say, and what could be overheard?

An attack is one small class (`Attack`). `attacked` plays one call under it, with real DTLS, SRTP and sockets on
loopback, while both phones talk all the time, and `Verdict` holds what came of it. The constants of time are shortened
by `hurried`, so that an attack by silence costs two seconds and not eight.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from media.call_media import CallMedia
from media.confirm import WRONG_SIGNATURE
from media.errors import MediaRefused
from media.events import MediaFailed, Secured
from media.parties import Parties
from tests.media.call_pair import LOOPBACK, PARTIES, FastEndorser, Side, make_side, rtp, running
from tests.media.tap import Tap

Name = Literal["caller", "callee"]
NAMES: tuple[Name, Name] = ("caller", "callee")
OTHER: dict[Name, Name] = {"caller": "callee", "callee": "caller"}

CONFIRM_SECONDS = 2.5
CONNECT_SECONDS = 3.0
GOODBYE_SECONDS = 0.2
FRAME_SECONDS = 0.02
SPEECH = b"spoken by "
SPOKEN = {"caller": b"spoken by alice " * 10, "callee": b"spoken by bobby " * 10}

NOTHING = "(not concerned)"
SIGNED = "(signed)"
UNSIGNED = "(words to compare, not signed)"
LATE = "403 The other side did not confirm the call in time, so it was ended"
WRONG = f"403 {WRONG_SIGNATURE}"
ENDED = "somebody may stand between you, so the call was ended"
FORGED = f"403 The two nodes do not see the same encrypted connection: {ENDED}"
OUT_OF_ORDER = f"403 The other node broke the rules of the confirmation: {ENDED}"
NOT_SIGNED = "403 The other side did not sign the call, as it has done before: it was ended"
STRANGE_CERTIFICATE = (
    "403 Somebody else answered the encrypted connection: its certificate is not the announced one"
)
NO_DTLS = "488 The encrypted connection could not be set up"
NO_EMS = "488 The other node's encryption lacks a safeguard (extended master secret)"
NO_WAY = "480 No way for the sound was found between the two nodes"
PLAIN = "488 The other node does not encrypt its media as nodes do"
NOT_OFFERED = "488 The other node's phone has chosen an encryption that it was not offered"
CLOSED = "480 The connection to the other side was closed at the other end"


@dataclass
class People:
    """The keys of the three: the attacker has one of his own, and no other."""

    caller: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    callee: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    mallory: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)


class Attack:
    """One attack. `says` is what each victim must say: a status and a sentence, or one of several.

    `pinned`: the victims have talked before, so nothing may be heard before the signature. `intact`: the attack must
    not hurt: the victims' own session stands, signed, and goes on.
    """

    says: ClassVar[dict[Name, tuple[str, ...]]]
    pinned: ClassVar[bool] = True
    intact: ClassVar[bool] = False

    async def play(self, rig: "Rig") -> None:
        """Set the call up, as far as it can be brought; what the victims refuse is noted by `rig.refusal`."""
        raise NotImplementedError

    def endorser(self, people: People, name: Name) -> FastEndorser:
        """Return a victim's endorser: it expects the other victim's key."""
        own, peer = getattr(people, name), getattr(people, OTHER[name])
        return FastEndorser(own, peer.public_key())

    def parties(self, _name: Name) -> Parties:
        """Return who, as one victim believes, takes part."""
        return PARTIES

    def call_id(self, _name: Name) -> str:
        """Return the Call-ID that one victim sees."""
        return "call-1@test"


@dataclass
class Verdict:
    """What one attacked call came to."""

    said: dict[Name, tuple[str, ...]]
    words: dict[Name, tuple[str, ...]]
    heard: dict[Name, int]
    crossed: dict[Name, int]
    plain: int
    foreign: int
    datagrams: int

    def complaints(self, attack: Attack) -> Iterator[str]:
        """Yield what is wrong: nothing, if the attack was found out and said as it must be."""
        for name in NAMES:
            if attack.says[name] == (NOTHING,):
                continue
            if not self.said[name] or self.said[name][-1] not in attack.says[name]:
                yield f"the {name} says {self.said[name]}, not {attack.says[name]}"
            if SIGNED in self.said[name] and not attack.intact and SIGNED not in attack.says[name]:
                yield f"the {name} says that the call is signed"
            if attack.pinned and not attack.intact and (self.heard[name] or self.crossed[name]):
                yield f"the {name} was heard or hears: {self.heard[name]}, {self.crossed[name]}"
        same = bool(self.words["caller"]) and self.words["caller"] == self.words["callee"]
        both = bool(self.words["caller"]) and bool(self.words["callee"])
        if both and same is not attack.intact:
            yield f"the words are {'the same' if same else 'not the same'}: {self.words}"
        if self.plain or self.foreign:
            yield f"{self.plain} datagrams in clear and {self.foreign} of no known kind were on the wire"


class Rig:
    """One call: both victims, and the taps through which all that the mesh carries goes."""

    def __init__(self, attack: Attack, people: People, caller: Side, callee: Side) -> None:
        self.attack = attack
        self.people = people
        self.sides: dict[Name, Side] = {"caller": caller, "callee": callee}
        self.taps: list[Tap] = []
        self.refused: dict[Name, list[str]] = {"caller": [], "callee": []}
        self.spoken: dict[Name, int] = {"caller": 0, "callee": 0}
        self.heard: dict[Name, set[bytes]] = {"caller": set(), "callee": set()}
        self.ending = contextlib.AsyncExitStack()
        self.group: asyncio.TaskGroup | None = None

    @classmethod
    async def open(cls, attack: Attack) -> "Rig":
        """Make both victims as the attack finds them."""
        people = People()
        caller, callee = [
            await make_side(
                name,
                attack.endorser(people, name),
                parties=attack.parties(name),
                call_id=attack.call_id(name),
                mute_until_confirmed=attack.pinned,
            )
            for name in NAMES
        ]
        return cls(attack, people, caller, callee)

    async def tap(self) -> Tap:
        """Return another recorded piece of wire."""
        tap = await Tap().open()
        self.taps.append(tap)
        return tap

    @property
    def caller(self) -> Side:
        """Alice's node."""
        return self.sides["caller"]

    @property
    def callee(self) -> Side:
        """Bob's node."""
        return self.sides["callee"]

    def start(self, job: Coroutine[Any, Any, None]) -> None:
        """Run something until the call is over."""
        assert self.group is not None
        task = self.group.create_task(job)
        self.ending.callback(task.cancel)

    def run(self, media: CallMedia) -> None:
        """Run media of the attacker's, and close it when the call is over."""
        assert self.group is not None
        self.group.create_task(media.run())
        self.ending.push_async_callback(media.aclose)

    @contextlib.contextmanager
    def refusal(self, name: Name) -> Iterator[None]:
        """Note what a victim answers to a request that it refuses."""
        try:
            yield
        except MediaRefused as refused:
            self.refused[name].append(f"{refused.status} {refused.reason}")

    def said(self, name: Name) -> tuple[str, ...]:
        """Return all that a victim has said so far, the last thing last; a refusal counts as last."""
        told = []
        for event in self.sides[name].events:
            match event:
                case MediaFailed(_, status, reason):
                    told.append(f"{status} {reason}")
                case Secured(signed=signed):
                    told.append(SIGNED if signed else UNSIGNED)
        return (*told, *self.refused[name])

    async def until_said(self, name: Name, *, seconds: float = 25) -> None:
        """Wait until a victim has said what it must, or what it must not, or has been silent for too long."""
        side, wanted = self.sides[name], self.attack.says[name]
        with contextlib.suppress(TimeoutError):  # the verdict will complain
            async with asyncio.timeout(seconds):
                while not (said := self.said(name)) or (said[-1] not in wanted and said[-1] == UNSIGNED):
                    side.told.clear()
                    await side.told.wait()

    async def talk(self) -> None:
        """Let both phones talk, a packet each 20 ms, as long as their nodes have a port for them.

        Not longer: on a busy loopback the port is soon another call's, which would hear it.
        """
        while True:
            for name, side in self.sides.items():
                sections = side.media._sections
                if sections and not side.media._life._failure.done():
                    side.phone.node = (LOOPBACK, sections[0].phone.port)
                    side.phone.send(rtp(self.spoken[name], SPOKEN[name]))
                    self.spoken[name] += 1
            await asyncio.sleep(FRAME_SECONDS)

    async def goes_on(self, packets: int = 5) -> None:
        """Wait until each phone has heard that many packets more, every one as it was spoken, and once."""
        for name, side in self.sides.items():
            wanted = self.hears(name) + packets
            async with asyncio.timeout(5):
                while self.hears(name) < wanted:
                    self.listen(name, await side.phone.heard.get())

    def hears(self, name: Name) -> int:
        """Take what has come to a victim's phone; return how much speech it has heard so far."""
        heard = self.sides[name].phone.heard
        while not heard.empty():
            self.listen(name, heard.get_nowait())
        return len(self.heard[name])

    def listen(self, name: Name, packet: bytes) -> None:
        """Look at one packet. No speech: for another call, whose port has become ours (all are on one loopback)."""
        if SPEECH in packet:
            assert packet[:12] not in self.heard[name], f"the {name} hears something twice"
            assert packet[12:] == SPOKEN[OTHER[name]], f"the {name} hears something else"
            self.heard[name].add(packet[:12])

    def verdict(self) -> Verdict:
        """Sum up; to be asked when the call is over."""
        wire = [data for tap in self.taps for _, data in tap.wire]
        words: dict[Name, tuple[str, ...]] = {
            name: next((e.words for e in side.events if isinstance(e, Secured)), ())
            for name, side in self.sides.items()
        }
        statistics = {name: side.media.statistics() for name, side in self.sides.items()}
        return Verdict(
            said={name: self.said(name) for name in NAMES},
            words=words,
            heard={name: self.hears(name) for name in NAMES},
            crossed={name: s.to_mesh.packets + s.to_phone.packets for name, s in statistics.items()},
            plain=sum(any(speech[:16] in data for speech in SPOKEN.values()) for data in wire),
            foreign=sum(not is_known_kind(data) for data in wire),
            datagrams=len(wire),
        )


def is_known_kind(data: bytes) -> bool:
    """Tell whether a datagram looks like STUN, DTLS or SRTP (RFC 7983)."""
    return bool(data) and (data[0] < 4 or 19 < data[0] < 64 or 127 < data[0] < 192)


@contextlib.asynccontextmanager
async def call_under(attack: Attack) -> AsyncIterator[Rig]:
    """Hold a call under attack, both sides talking; end it and free everything."""
    rig = await Rig.open(attack)
    try:
        async with running(rig.caller, rig.callee), asyncio.TaskGroup() as group:
            rig.group = group
            rig.start(rig.talk())
            try:
                yield rig
            finally:
                await rig.ending.aclose()
    finally:
        for tap in rig.taps:
            tap.close()


async def attacked(attack: Attack) -> Verdict:
    """Play one call under an attack, and tell what came of it."""
    async with call_under(attack) as rig:
        await attack.play(rig)
        for name in NAMES:
            if attack.says[name] != (NOTHING,):
                await rig.until_said(name)
        return rig.verdict()


def hurried(patch: pytest.MonkeyPatch) -> None:
    """Shorten the waiting: the logic is the same, and ten thousand attacks fit into an hour."""
    patch.setattr("media.assurance.CONFIRM_SECONDS", CONFIRM_SECONDS)
    patch.setattr("media.mesh_leg.CONNECT_SECONDS", CONNECT_SECONDS)
    patch.setattr("media.mesh_leg.GOODBYE_SECONDS", GOODBYE_SECONDS)
