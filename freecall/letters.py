"""Answers the gateway's `Mailbox` port: letters between people, and those that wait (docs/decisions/0010)."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sipgate.events import GatewayEvent, PhoneRegistered
from sipgate.messages.content import MAX_TEXT, is_text
from sipgate.messages.post import Post
from sipgate.ports import Admission, IncomingCaller, LocalUser, Peer, Taken, Text
from sipgate.protocol.errors import SipError
from trust.keyring import Keyring

from .address_book import AddressBook, Addressee
from .errors import FreeCallError
from .letter_box import Delivered, LetterBox, Quota
from .letter_desk import DAY, PLAIN, Desk, Hear
from .letter_inbox import Inbox
from .letter_outbox import LONGEST_SLEEP, Outbox
from .store import FileStore

logger = logging.getLogger(__name__)

FOLDER = "letters"
DISK_PAUSE = 60.0


class MessageWrong(FreeCallError):
    """An order to send a message cannot be understood."""


class Letters:
    """One user's letters, in both directions. `run` must run; `connect` before it."""

    def __init__(
        self,
        user: LocalUser,
        keyring: Keyring,
        book: AddressBook,
        data: Path,
        *,
        emit: Callable[[GatewayEvent], None],
        clock: Callable[[], float],
        keep_days: int,
        quota: Quota | None = None,
    ) -> None:
        box = LetterBox(data / FOLDER, quota)
        delivered = Delivered(FileStore(data / FOLDER / "delivered"))
        self._desk = Desk(user, keyring, book, box, delivered, emit, clock, float(keep_days * DAY))
        self._phones = asyncio.Event()
        self._phones_came = asyncio.Event()
        self._outbox = Outbox(self._desk, self._phones)
        self._inbox = Inbox(self._desk, self._outbox)

    def connect(self, post: Post) -> None:
        """Learn the way to phones and nodes."""
        self._desk.post = post

    def leave_unread(self, is_blocked: Callable[[str], bool]) -> None:
        """Show no phone what the owners of such keys (fingerprints) write; they are told that it waits."""
        self._desk.is_blocked = is_blocked

    def tell_written_to(self, written_to: Callable[[Peer], None]) -> None:
        """Tell whom our user writes to."""
        self._desk.written_to = written_to

    def for_the_node(self, content_type: str, hear: Hear) -> None:
        """Give letters of this type to ``hear``: they are the node's, and no phone sees them."""
        self._desk.nodes_own[content_type] = hear

    async def post_quietly(
        self, uri: str, fingerprint: str, key: bytes, content_type: str, body: bytes
    ) -> None:
        """Send a letter that no person wrote to the owner of ``key``; raise `Refusal` when it cannot be kept."""
        to = Addressee(self._desk.book.person(uri, fingerprint), key)
        letter, sealed = await self._desk.seal(to, Text(content_type, body))
        self._outbox.post_quietly(to, letter.id.hex(), letter.written_at, sealed)

    # -- the port

    async def send(self, sender: LocalUser, target: str, text: Text) -> Taken:  # noqa: ARG002 - there is one user
        """See `Mailbox.send`."""
        return (await self._outbox.send(target, text))[1]

    async def receive(self, user: LocalUser, sender: Peer, openpgp_key: bytes, letter: bytes) -> Taken:  # noqa: ARG002
        """See `Mailbox.receive`."""
        return await self._inbox.receive(sender, openpgp_key, letter)

    # -- what else moves letters

    def heed(self, event: GatewayEvent) -> None:
        """A phone that registers is one that can take what waits."""
        if isinstance(event, PhoneRegistered):
            self._phones_came.set()
            self._phones.set()

    def heard_from(self, fingerprint: str) -> None:
        """Somebody's node was heard."""
        self._outbox.heard_from(fingerprint)

    def retry(self) -> None:
        """This node is back in the mesh."""
        self._outbox.retry()

    async def run(self) -> None:
        """Bring letters out and in, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_steadily(self._outbox.run), name="letters out")
            group.create_task(_steadily(self._serve_phones), name="letters in")

    async def _serve_phones(self) -> None:
        while True:
            self._phones.clear()
            if self._phones_came.is_set():
                self._phones_came.clear()
                await self._inbox.deliver()
            await self._outbox.tell_phones()
            await self._inbox.tell_expired(self._inbox.expire())
            with suppress(TimeoutError):
                async with asyncio.timeout(self._until_next()):
                    await self._phones.wait()

    def _until_next(self) -> float:
        expiry = self._inbox.next_expiry()
        return LONGEST_SLEEP if expiry is None else min(LONGEST_SLEEP, max(0.0, expiry - self._desk.clock()))

    # -- the control API

    async def write(self, order: dict[str, Any]) -> dict[str, Any]:
        """Send the message of ``order``: ``uri``, ``text`` and perhaps ``content_type``.

        Raises:
            MessageWrong: the order is malformed.
            Refusal: nobody takes it.
        """
        uri, words, content_type = order.get("uri"), order.get("text"), order.get("content_type", PLAIN)
        if not isinstance(uri, str) or not isinstance(words, str) or not isinstance(content_type, str):
            raise MessageWrong('A message is an object with "uri" and "text".')
        body = words.encode()
        if not 0 < len(body) <= MAX_TEXT:
            raise MessageWrong(f"A message has 1 to {MAX_TEXT} bytes of text.")
        try:
            accepted = content_type.isprintable() and is_text(content_type)
        except SipError:
            accepted = False
        if not accepted:
            raise MessageWrong(f"{content_type[:80]!r} is no type of text.")
        message, taken = await self._outbox.send(uri, Text(content_type, body))
        return {"message": message, "taken": taken}

    async def waiting(self) -> dict[str, Any]:
        """Return what waits: letters of ours, without their text, which only the reader can decrypt; and to us."""
        out = [
            {
                "message": kept.id,
                "to": kept.peer,
                "state": kept.state.value,
                "written_at": kept.written_at,
                "expires_at": round(kept.expires_at),
            }
            for kept in self._desk.box.all("out")
            if not kept.quiet
        ]
        return {"out": out, "in": await self._inbox.shown()}


async def _steadily(serve: Callable[[], Awaitable[None]]) -> None:
    """Go on when the disk is full or gone for a while; what could not be written is still in the old state."""
    while True:
        try:
            await serve()
        except* OSError:
            logger.exception("letters cannot be written to the disk")
            await asyncio.sleep(DISK_PAUSE)


class HearingAdmission:
    """An `Admission` that tells who was admitted: their node is there."""

    def __init__(self, admission: Admission, heard_from: Callable[[str], None]) -> None:
        self._admission = admission
        self._heard_from = heard_from

    async def admit(self, caller: IncomingCaller) -> Peer:
        """See `Admission.admit`."""
        peer = await self._admission.admit(caller)
        self._heard_from(peer.fingerprint)
        return peer
