"""Who may reach our user: the parts of the policy put together, and what the user can ask of them."""

import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from freecall.errors import FreeCallError
from freecall.mesh_uri import ANONYMOUS, caller_from, is_anonymous, name_of
from freecall.store import FileStore
from sipgate.events import CallMissed, CallStarted, GatewayEvent
from sipgate.ports import Admission, Directory, Peer
from trust.pins import Pins
from trust.uris import fingerprint_of_uri

from .blocks import FINGERPRINT, Blocked, BlockList
from .budget import Budget
from .called import Called, NotingDirectory
from .door import Door, GuardedAdmission, UnseenByBlocked
from .ladder import Anonymous, Ladder, Rung, Strangers
from .puzzle import Puzzles

MAX_RECENT = 200
SALT_BYTES = 8
SECRET_BYTES = 32
TELL_EVERY = 60.0
TEXTS_PER_HOUR, TEXTS_OF_ONE = 30, 15


class Emit(Protocol):
    """How events are told: `EventLog.emit`."""

    def __call__(self, name: str, /, **fields: Any) -> object:
        """Tell an event."""


ANONYMOUS_CALLER = (
    "An anonymous caller has a key for one call only: to block it would keep nobody out. "
    'To take no anonymous calls at all, write into the configuration: [calls] anonymous = "refuse".'
)


class NobodyToBlock(FreeCallError):
    """It cannot be told whose key is meant."""


@dataclass(frozen=True)
class Rules:
    """The user's policy: what strangers and anonymous callers may do, and how many of them ring in an hour."""

    strangers: Strangers
    rings_per_hour: int
    anonymous: Anonymous = "stranger"


class PolicyDesk:
    """One user's policy. `rank` says how well a key is known under a name; `clock` gives Unix seconds,
    `monotonic` seconds that never jump.
    """

    def __init__(
        self,
        name: str,
        rules: Rules,
        store: FileStore,
        pins: Pins,
        rank: Callable[[str, str], Awaitable[Rung]],
        *,
        emit: Emit,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        """Load who is blocked; raise `BlocksDamaged`."""
        self.part_from: Callable[[str], None] = lambda _uri: None
        self._name = name
        self._pins = pins
        self._emit = emit
        self._clock = clock
        self._monotonic = monotonic
        self._rank = rank
        self._called = Called()
        self._texts = Budget(TEXTS_PER_HOUR, TEXTS_OF_ONE)
        self._blocks = BlockList(store)
        self._recent: OrderedDict[str, str] = OrderedDict()
        self._last_caller = ""
        self._turned_away = 0
        self._told: tuple[int, float] | None = None
        self.door = Door(
            name,
            Ladder(rules.strangers, Budget(rules.rings_per_hour), rules.anonymous),
            Puzzles(secrets.token_bytes(SECRET_BYTES)),
            self._rung,
            clock=monotonic,
            salt=lambda: secrets.token_bytes(SALT_BYTES),
            turned_away=self._note_turned_away,
        )

    def guard(self, admission: Admission) -> Admission:
        """Return the admission to ring and to write."""
        return GuardedAdmission(
            admission,
            self._blocks,
            self.door,
            self._name,
            self._texts,
            self._monotonic,
            self._is_stranger,
            self._note,
        )

    def hide(self, admission: Admission) -> Admission:
        """Return the admission to see whether our user can be called."""
        return UnseenByBlocked(admission, self._blocks)

    def remember(self, directory: Directory) -> Directory:
        """Return the directory of whom our user calls: they may call back."""
        return NotingDirectory(directory, self.note_called)

    # -- what happens

    def _is_stranger(self, peer: Peer) -> bool:
        return peer.trust == "new" and not self._called.has(peer.uri, peer.fingerprint, self._monotonic())

    async def _rung(self, uri: str, fingerprint: str) -> Rung:
        if is_anonymous(uri):
            return Rung.ANONYMOUS
        if self._called.has(uri, fingerprint, self._monotonic()):
            return Rung.CALLED
        return await self._rank(uri, fingerprint)

    def note_called(self, peer: Peer) -> None:
        """Our user calls or writes to somebody: they may do so for a day."""
        self._called.note(peer.uri, peer.fingerprint, self._monotonic())

    def heed(self, event: GatewayEvent) -> None:
        """Remember who has called last."""
        is_call = isinstance(event, CallStarted) and event.direction == "in"
        if (is_call or isinstance(event, CallMissed)) and event.trust != "self":  # type: ignore[union-attr]
            self._last_caller = event.peer  # type: ignore[union-attr]

    def _note(self, peer: Peer) -> None:
        if peer.uri == ANONYMOUS:
            return
        self._recent[peer.uri] = peer.fingerprint
        self._recent.move_to_end(peer.uri)
        if len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)

    def _note_turned_away(self) -> None:
        """Tell it at most once a minute: who is flooded with calls need not be flooded with news."""
        self._turned_away += 1
        told, at = self._told or (0, -TELL_EVERY)
        now = self._monotonic()
        if self._told is None or now >= at + TELL_EVERY:
            self._told = (self._turned_away, now)
            self._emit("strangers_turned_away", count=self._turned_away - told)

    # -- what the user asks for

    def blocked(self) -> list[dict[str, Any]]:
        """Return who is blocked, the latest first: ``fingerprint``, ``uri`` (perhaps empty) and ``since``."""
        return [asdict(each) for each in sorted(self._blocks, key=lambda each: -each.since)]

    def is_blocked(self, fingerprint: str) -> bool:
        """Tell whether the owner of a key is blocked."""
        return fingerprint in self._blocks

    def block(self, who: str) -> dict[str, Any]:
        """Block somebody by address or fingerprint; return the entry.

        Raises:
            FreeCallError: nobody knows whose key that is, or the list is full.
        """
        uri, fingerprint = self._meant(who)
        entry = self._blocks.block(Blocked(fingerprint, uri, self._clock()))
        for each in self._names_of(fingerprint, uri):
            self.part_from(each)
        self._emit("person_blocked", peer=entry.uri, fingerprint=fingerprint)
        return asdict(entry)

    def block_last_caller(self) -> dict[str, Any]:
        """Block whoever has called last since the start; raise `FreeCallError` when nobody has."""
        if not self._last_caller:
            raise NobodyToBlock("Nobody has called since the node was started.")
        return self.block(self._last_caller)

    def unblock(self, who: str) -> None:
        """Take somebody out of the list; raise `FreeCallError` when they are not in it."""
        for entry in list(self._blocks):
            if who in (entry.fingerprint, entry.uri) or entry.fingerprint == _fingerprint(who):
                break
        else:
            uri, fingerprint = self._meant(who)
            entry = Blocked(fingerprint, uri, 0.0)
        if entry.fingerprint not in self._blocks:
            raise NobodyToBlock(f"{who} is not blocked.")
        self._blocks.unblock(entry.fingerprint)
        self._emit("person_unblocked", peer=entry.uri, fingerprint=entry.fingerprint)

    def _meant(self, who: str) -> tuple[str, str]:
        fingerprint = _fingerprint(who)
        if fingerprint is not None:
            pinned = (pin.uri for pin in self._pins if pin.fingerprint == fingerprint)
            called = (uri for uri, key in self._recent.items() if key == fingerprint)
            return next(pinned, None) or next(called, ""), fingerprint
        uri = caller_from(who)
        if uri == ANONYMOUS:
            raise NobodyToBlock(ANONYMOUS_CALLER)
        pin = self._pins.get(uri)
        found = fingerprint_of_uri(uri) or (pin.fingerprint if pin else self._recent.get(uri))
        if found is None:
            raise NobodyToBlock(
                f"{name_of(uri)} has not called and is no contact, so their key is not known here. "
                "Block the fingerprint that fc-lookup shows."
            )
        return uri, found

    def _names_of(self, fingerprint: str, uri: str) -> Iterable[str]:
        return {uri, *(pin.uri for pin in self._pins if pin.fingerprint == fingerprint)} - {""}


def _fingerprint(text: str) -> str | None:
    bare = text.replace(" ", "").removeprefix("0x").upper()
    return bare if FINGERPRINT.fullmatch(bare) else None
