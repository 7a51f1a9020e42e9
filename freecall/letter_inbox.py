"""Letters to our user: to the phones at once, or when one is there."""

import logging
import re
from dataclasses import dataclass, field
from typing import Any

from sipgate.calls.display import shown_name
from sipgate.events import MessageExpired, MessageKept, MessageReceived, MessageRefused
from sipgate.messages.content import is_text
from sipgate.messages.to_node import AWAY
from sipgate.messages.to_phones import Delivery
from sipgate.ports import Peer, Refusal, Taken, Text
from sipgate.protocol.errors import SipError
from trust.errors import BadKey, KeyringError, LetterRefused, Unreadable
from trust.letter import Letter, SignedLetter, check_letter, open_letter

from .address_book import Addressee
from .letter_box import Kept
from .letter_desk import CANNOT_WRITE, RECEIPT, Desk, is_passing
from .letter_outbox import Outbox

logger = logging.getLogger(__name__)

UNDER_WAY = 491
MAX_SHOWN = 100
_RECEIPT = re.compile(rb"(delivered|expired) ([0-9a-f]{32})")


@dataclass
class Inbox:
    """Takes letters that others' nodes bring; receipts among them go to the outbox."""

    desk: Desk
    outbox: Outbox
    _under_way: set[str] = field(default_factory=set)

    async def receive(self, sender: Peer, key: bytes, sealed: bytes) -> Taken:
        """Deliver a letter once, or keep it; raise `Refusal` when it cannot be."""
        signed = await self._open(sender, key, sealed)
        id_ = signed.letter.id.hex()
        if id_ in self.desk.delivered:
            return "delivered"
        if self.desk.box.get("in", id_) is not None:
            return "kept"
        if id_ in self._under_way:
            raise Refusal(UNDER_WAY, "This message is just being delivered")
        self._under_way.add(id_)
        try:
            return await self._take(sender, key, sealed, signed)
        except Refusal as refusal:
            self.desk.emit(MessageRefused(id_, sender.uri, "in", refusal.status, refusal.reason))
            raise
        finally:
            self._under_way.discard(id_)

    async def _open(self, sender: Peer, key: bytes, sealed: bytes) -> SignedLetter:
        try:
            signed = await open_letter(self.desk.keyring, sealed)
            fingerprint = await check_letter(self.desk.keyring, signed, key, sender=sender.uri)
        except (Unreadable, LetterRefused, BadKey) as error:
            raise Refusal(CANNOT_WRITE, str(error)) from error
        except KeyringError as error:
            raise Refusal(500, "This node cannot read messages now") from error
        if fingerprint != sender.fingerprint:
            raise Refusal(CANNOT_WRITE, "The message was signed by another key than the one that was shown")
        return signed

    async def _take(self, sender: Peer, key: bytes, sealed: bytes, signed: SignedLetter) -> Taken:
        letter = signed.letter
        if letter.content_type == RECEIPT:
            match = _RECEIPT.fullmatch(letter.body)
            if match is not None:
                self.outbox.take_receipt(sender.fingerprint, match[1].decode(), match[2].decode())
            self.desk.delivered.add(letter.id.hex(), sender.fingerprint)
            return "delivered"
        hear = self.desk.nodes_own.get(letter.content_type)
        if hear is not None:
            await hear(sender, key, letter.content_type, letter.body)
            self.desk.delivered.add(letter.id.hex(), sender.fingerprint)
            return "delivered"
        try:
            if not is_text(letter.content_type):
                raise Refusal(415, "Messages here are text, not pictures or files")
        except SipError as error:
            raise Refusal(error.status, error.reason) from error
        try:
            if self.desk.is_blocked(sender.fingerprint):
                return self._leave_unread(letter)
            await self._to_phones(sender, signed, written_at=None)
        except Refusal as refusal:
            if refusal.status not in AWAY or is_passing(letter.content_type):
                raise
            self._keep(sender, key, sealed, signed)
            return "kept"
        return "delivered"

    def _leave_unread(self, letter: Letter) -> Taken:
        """Say what everybody hears while no phone is on."""
        if is_passing(letter.content_type):
            raise Refusal(480, f"No phone of {self.desk.user.display_name} is switched on")
        return "kept"

    async def _to_phones(self, sender: Peer, signed: SignedLetter, written_at: float | None) -> None:
        letter = signed.letter
        text = Text(letter.content_type, letter.body)
        await self.desk.gateway.to_phones(self.desk.user, Delivery(letter.id.hex(), sender, text, written_at))
        self.desk.delivered.add(letter.id.hex(), sender.fingerprint)
        if not is_passing(letter.content_type):
            shown, late = shown_name(sender), written_at is not None
            self.desk.emit(
                MessageReceived(
                    letter.id.hex(), sender.uri, shown, sender.trust, text.content_type, kept=late
                )
            )

    def _keep(self, sender: Peer, key: bytes, sealed: bytes, signed: SignedLetter) -> None:
        letter = signed.letter
        kept = Kept(
            letter.id.hex(),
            "in",
            sender.uri,
            sender.fingerprint,
            letter.written_at,
            self.desk.clock() + self.desk.keep_seconds,
            sealed=sealed,
            key=key,
            known=sender.known,
        )
        self.desk.keep(kept, self.desk.user.display_name)
        self.desk.emit(MessageKept(kept.id, kept.peer, "in", "here"))

    async def deliver(self) -> None:
        """Bring what waits to the phones; stop at the first that no phone takes."""
        for kept in self.desk.box.all("in"):
            try:
                await self._deliver(kept)
            except Refusal as refusal:
                logger.info("a letter that waits was not taken by any phone: %d", refusal.status)
                if refusal.status in AWAY:
                    return

    async def _deliver(self, kept: Kept) -> None:
        if kept.id not in self.desk.delivered:
            try:
                signed = await open_letter(self.desk.keyring, kept.sealed)
            except (Unreadable, LetterRefused) as error:
                logger.warning("a letter that waited cannot be read any more: %s", error)
                self._give_up(kept)
                return
            except KeyringError as error:
                raise Refusal(500, str(error)) from error
            sender = self.desk.book.person(kept.peer, kept.fingerprint)
            if self.desk.is_blocked(kept.fingerprint):
                self.desk.box.drop(kept)
                return
            await self._to_phones(sender, signed, written_at=kept.written_at)
        self.desk.box.drop(kept)
        await self._answer(kept, "delivered")

    def expire(self) -> list[Kept]:
        """Forget letters whose time is over; return them."""
        now = self.desk.clock()
        over = [kept for kept in self.desk.box.all("in") if kept.expires_at <= now]
        for kept in over:
            self._give_up(kept)
        return over

    async def tell_expired(self, over: list[Kept]) -> None:
        """Tell the writers."""
        for kept in over:
            await self._answer(kept, "expired")

    def next_expiry(self) -> float | None:
        """Return when the first letter runs out, in Unix seconds."""
        return min((kept.expires_at for kept in self.desk.box.all("in")), default=None)

    async def shown(self) -> list[dict[str, Any]]:
        """Return what waits for a phone, with its text; the owner asks."""
        rows = []
        for kept in self.desk.box.all("in")[:MAX_SHOWN]:
            try:
                letter = (await open_letter(self.desk.keyring, kept.sealed)).letter
            except (Unreadable, LetterRefused, KeyringError) as error:
                logger.warning("a letter that waits cannot be read: %s", error)
                continue
            person = self.desk.book.person(kept.peer, kept.fingerprint)
            rows.append(
                {
                    "message": kept.id,
                    "from": kept.peer,
                    "trust": person.trust,
                    "written_at": kept.written_at,
                    "expires_at": round(kept.expires_at),
                    "content_type": letter.content_type,
                    "text": letter.body.decode("utf-8", "replace"),
                }
            )
        return rows

    def _give_up(self, kept: Kept) -> None:
        self.desk.box.drop(kept)
        self.desk.emit(MessageExpired(kept.id, kept.peer, "in"))

    async def _answer(self, kept: Kept, what: str) -> None:
        """Write the sender's node what became of their letter."""
        peer = self.desk.book.person(kept.peer, kept.fingerprint)
        to = Addressee(peer, kept.key)
        try:
            letter, sealed = await self.desk.seal(to, Text(RECEIPT, f"{what} {kept.id}".encode()))
            self.outbox.post_quietly(to, letter.id.hex(), letter.written_at, sealed)
        except Refusal as refusal:
            logger.info("no word to the writer of a letter: %d", refusal.status)
