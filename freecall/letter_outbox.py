"""Letters of ours: to the other node at once, or again and again until it is there."""

import asyncio
import logging
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal

from sipgate.events import MessageDelivered, MessageExpired, MessageKept, MessageRefused, MessageSent
from sipgate.messages.to_node import AWAY
from sipgate.messages.to_phones import Delivery
from sipgate.ports import Peer, Refusal, Taken, Text

from .address_book import Addressee
from .letter_box import Kept
from .letter_desk import (
    DAY,
    Desk,
    Notice,
    delivered_words,
    expired_words,
    is_passing,
    is_written,
    kept_words,
    refused_words,
)
from .letter_states import TO_TELL, Input, State, step

logger = logging.getLogger(__name__)

FIRST_PAUSE = 5.0
LONGEST_PAUSE = 600.0
AT_ONCE = 4
MAX_NOTICES = 100
LONGEST_SLEEP = 3600.0
GRACE = DAY
"""How much longer than it keeps one itself a node waits for word of a letter that waits at another."""


@dataclass
class _Pace:
    """When to try again to reach one person; by the loop's clock."""

    due: float
    pause: float = FIRST_PAUSE


@dataclass
class Outbox:
    """Sends letters, and keeps those for who is away. ``call_phones`` is set when there is a notice for them."""

    desk: Desk
    call_phones: asyncio.Event
    notices: deque[Notice] = field(default_factory=lambda: deque(maxlen=MAX_NOTICES))
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _paces: dict[str, _Pace] = field(default_factory=dict)

    async def send(self, target: str, text: Text) -> tuple[str, Taken]:
        """Bring a text to the canonical URI ``target``, or keep it; return the letter's id and which.

        Raises:
            Refusal: nobody takes it, and it is not kept.
        """
        try:
            to = await self.desk.book.find(target)
            letter, sealed = await self.desk.seal(to, text)
        except Refusal as refusal:
            self._tell_refused("", target, refusal)
            raise
        id_, peer = letter.id.hex(), to.peer
        if not is_passing(text.content_type):
            self.desk.emit(MessageSent(id_, peer.uri, peer.trust, text.content_type))
            self.desk.written_to(peer)
        kept = self._kept(id_, to, letter.written_at, sealed, quiet=not is_written(text.content_type))
        return id_, await self._hand_over(kept, to, text.content_type)

    async def _hand_over(self, kept: Kept, to: Addressee, content_type: str) -> Taken:
        passing = is_passing(content_type)
        try:
            taken = await self.desk.gateway.to_node(self.desk.user, to.peer, kept.sealed)
        except Refusal as refusal:
            self._keep_or_refuse(kept, to, refusal, passing=passing)
            return "kept"
        if taken == "kept":
            with suppress(Refusal):  # it waits there: without room here only the word about it is lost
                self.desk.keep(self._left(kept), to.peer.display_name)
            self._tell_kept(kept, "there")
        elif not passing:
            self.desk.emit(MessageDelivered(kept.id, kept.peer))
        return taken

    def _keep_or_refuse(self, kept: Kept, to: Addressee, refusal: Refusal, *, passing: bool) -> None:
        try:
            if refusal.status not in AWAY or passing:
                raise refusal
            self.desk.keep(kept, to.peer.display_name)
        except Refusal as final:
            self._tell_refused(kept.id, kept.peer, final)
            raise
        self._paces.setdefault(kept.fingerprint, _Pace(self._now() + FIRST_PAUSE))
        self._wake.set()
        self._tell_kept(kept, "here")

    def post_quietly(self, to: Addressee, letter: str, written_at: float, sealed: bytes) -> None:
        """Send a letter that no person wrote, now or when its reader is there; raise `Refusal` without room."""
        self.desk.keep(self._kept(letter, to, written_at, sealed, quiet=True), to.peer.display_name)
        self.heard_from(to.peer.fingerprint)

    def take_receipt(self, fingerprint: str, what: str, letter: str) -> None:
        """Note what the other node says of a letter that waits there; what nobody waits for is nothing to us."""
        kept = self.desk.box.get("out", letter)
        if kept is None or kept.fingerprint != fingerprint:
            return
        self._happened(kept, Input.TAKEN if what == "delivered" else Input.RAN_OUT)

    def heard_from(self, fingerprint: str) -> None:
        """Somebody's node is there: what waits for them can go."""
        if fingerprint in self._paces or self._waiting(fingerprint):
            self._paces[fingerprint] = _Pace(self._now())
            self._wake.set()

    def retry(self) -> None:
        """Try everybody now: this node has just found others."""
        for fingerprint in {kept.fingerprint for kept in self.desk.box.all("out")}:
            self.heard_from(fingerprint)

    async def run(self) -> None:
        """Bring letters out, for ever."""
        while True:
            self._wake.clear()
            self.expire()
            due = self._due()[:AT_ONCE]
            async with asyncio.TaskGroup() as group:
                for fingerprint in due:
                    group.create_task(self._try(fingerprint))
            if due:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next()):
                    await self._wake.wait()

    def expire(self) -> None:
        """Give up letters whose time is over."""
        now = self.desk.clock()
        for kept in self.desk.box.all("out"):
            if kept.expires_at <= now:
                self._happened(kept, Input.RAN_OUT)

    async def tell_phones(self) -> None:
        """Tell a phone of ours what became of letters; what no phone takes is told again at its next registration."""
        while self.notices:
            notice = self.notices.popleft()
            await self._tell(notice)
        for kept in self.desk.box.all("out"):
            if kept.state in TO_TELL and await self._tell(self._notice(kept)):
                self._happened(kept, Input.TOLD)

    async def _tell(self, notice: Notice) -> bool:
        delivery = Delivery("", notice.peer, notice.text)
        try:
            await self.desk.gateway.to_phones(self.desk.user, delivery)
        except Refusal as refusal:
            logger.info("no phone took a notice: %d", refusal.status)
            return False
        return True

    def _notice(self, kept: Kept) -> Notice:
        peer = self.desk.book.person(kept.peer, kept.fingerprint)
        words = {
            State.DELIVERED: delivered_words(kept.written_at),
            State.EXPIRED: expired_words(peer.display_name, kept.written_at),
            State.REFUSED: refused_words(kept.written_at, kept.problem),
        }[kept.state]
        return Notice(peer, words)

    # -- one person's letters

    async def _try(self, fingerprint: str) -> None:
        """Bring what waits for one person; at the first failure pause, each time longer."""
        pace = self._paces.setdefault(fingerprint, _Pace(self._now()))
        pace.due = self._now() + pace.pause
        pace.pause = min(2 * pace.pause, LONGEST_PAUSE)
        waiting = self._waiting(fingerprint)
        if waiting:
            try:
                peer = await self.desk.book.where(waiting[0].peer, fingerprint)
            except Refusal:
                return
            for kept in waiting:
                if not await self._bring(kept, peer):
                    return
        self._paces.pop(fingerprint, None)

    async def _bring(self, kept: Kept, peer: Peer) -> bool:
        """Try one letter; tell whether the node was there."""
        problem = ""
        try:
            taken = await self.desk.gateway.to_node(self.desk.user, peer, kept.sealed)
            happened = Input.KEPT_THERE if taken == "kept" and not kept.quiet else Input.TAKEN
        except Refusal as refusal:
            if refusal.status in AWAY:
                return False
            self._tell_refused(kept.id, kept.peer, refusal)
            happened, problem = Input.REFUSED, refusal.reason
        current = self.desk.box.get("out", kept.id)
        if current is not None:  # word that it was taken may have been faster than the answer
            self._happened(replace(current, problem=problem), happened)
        return True

    def _happened(self, kept: Kept, happened: Input) -> None:
        """Take a step; tell the owner and, by a notice, the phones."""
        state = step(kept.state, happened)
        if state is kept.state:
            return
        if state in TO_TELL and kept.quiet:
            state = State.GONE
        elif state in TO_TELL:
            kept = replace(kept, sealed=b"", expires_at=self.desk.clock() + self.desk.keep_seconds)
            self.call_phones.set()
        elif state is State.LEFT:
            kept = self._left(kept)
        self.desk.box.change(kept, state=state)
        self._tell_owner(kept, state)

    def _tell_owner(self, kept: Kept, state: State) -> None:
        if state is State.DELIVERED:
            self.desk.emit(MessageDelivered(kept.id, kept.peer))
        elif state is State.EXPIRED:
            self.desk.emit(MessageExpired(kept.id, kept.peer, "out"))
        elif state is State.LEFT:
            self.desk.emit(MessageKept(kept.id, kept.peer, "out", "there"))

    def _kept(self, id_: str, to: Addressee, written_at: float, sealed: bytes, *, quiet: bool) -> Kept:
        expires_at = self.desk.clock() + self.desk.keep_seconds
        return Kept(
            id_, "out", to.peer.uri, to.peer.fingerprint, written_at, expires_at, sealed=sealed, quiet=quiet
        )

    def _left(self, kept: Kept) -> Kept:
        return replace(kept, sealed=b"", state=State.LEFT, expires_at=kept.expires_at + GRACE)

    def _tell_kept(self, kept: Kept, where: Literal["here", "there"]) -> None:
        self.desk.emit(MessageKept(kept.id, kept.peer, "out", where))
        if not kept.quiet:
            peer = self.desk.book.person(kept.peer, kept.fingerprint)
            self.notices.append(Notice(peer, kept_words(peer.display_name, where, self.desk.keep_seconds)))
            self.call_phones.set()

    def _tell_refused(self, letter: str, peer: str, refusal: Refusal) -> None:
        self.desk.emit(MessageRefused(letter, peer, "out", refusal.status, refusal.reason))

    def _waiting(self, fingerprint: str) -> list[Kept]:
        return [
            kept
            for kept in self.desk.box.all("out")
            if kept.fingerprint == fingerprint and kept.state is State.WAITING
        ]

    def _due(self) -> list[str]:
        """Return whom to try now, the longest overdue first; after a start everybody for whom something waits."""
        now = self._now()
        for kept in self.desk.box.all("out"):
            if kept.state is State.WAITING:
                self._paces.setdefault(kept.fingerprint, _Pace(now + 1))
        due = [fingerprint for fingerprint, pace in self._paces.items() if pace.due <= now]
        return sorted(due, key=lambda fingerprint: self._paces[fingerprint].due)

    def _next(self) -> float:
        """Return when there is something to do, by the loop's clock."""
        now, clock = self._now(), self.desk.clock()
        expiries = [now + max(0.0, kept.expires_at - clock) for kept in self.desk.box.all("out")]
        return min([now + LONGEST_SLEEP, *expiries, *(pace.due for pace in self._paces.values())])

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
