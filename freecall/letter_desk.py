"""What sending and receiving letters share: the keys, the letters that wait, and the words for people."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from sipgate.events import GatewayEvent
from sipgate.messages.content import COMPOSING
from sipgate.messages.post import Post
from sipgate.ports import LocalUser, Peer, Refusal, Text
from sipgate.protocol.errors import SipError
from sipgate.protocol.media_type import MediaType
from trust.errors import BadKey, KeyringError, LetterRefused
from trust.keyring import Keyring
from trust.letter import Letter, seal_letter

from .address_book import AddressBook, Addressee
from .letter_box import BoxFull, Delivered, Kept, LetterBox

RECEIPT = "application/vnd.freecall.receipt"
PLAIN = "text/plain;charset=UTF-8"
DAY = 86400
CANNOT_WRITE = 493  # Undecipherable (RFC 3261 21.4.31)

Hear = Callable[[Peer, bytes, str, bytes], Awaitable[None]]
"""Takes a letter: its sender, their public key, content type and body."""


@dataclass
class Desk:
    """One user's letters. ``clock`` gives Unix seconds; ``keep_seconds`` is how long a letter waits.

    ``nodes_own`` has who takes the letters that no person wrote and no phone sees, by content type. ``is_blocked``
    tells whose letters are not read, by fingerprint; ``written_to`` is told whom our user writes to.
    """

    user: LocalUser
    keyring: Keyring
    book: AddressBook
    box: LetterBox
    delivered: Delivered
    emit: Callable[[GatewayEvent], None]
    clock: Callable[[], float]
    keep_seconds: float
    post: Post | None = None
    nodes_own: dict[str, Hear] = field(default_factory=dict)
    is_blocked: Callable[[str], bool] = lambda _fingerprint: False
    written_to: Callable[[Peer], None] = lambda _peer: None

    @property
    def gateway(self) -> Post:
        """The gateway's side; there once the node is put together."""
        assert self.post is not None, "letters before there is a gateway"
        return self.post

    async def seal(self, to: Addressee, text: Text) -> tuple[Letter, bytes]:
        """Return a new letter, and sealed.

        Raises:
            Refusal: 493 when nothing can be encrypted to their key, 500 when our own does not work.
        """
        try:
            letter = Letter(
                id=secrets.token_bytes(16),
                sender=self.user.uri,
                recipient=to.peer.uri,
                recipient_fingerprint=to.peer.fingerprint,
                written_at=int(self.clock()),
                content_type=text.content_type,
                body=text.body,
            )
            return letter, await seal_letter(self.keyring, letter, to.key)
        except (BadKey, LetterRefused) as error:
            name = to.peer.display_name
            raise Refusal(CANNOT_WRITE, f"{name} cannot be written to: {error}") from error
        except KeyringError as error:
            raise Refusal(500, str(error)) from error

    def keep(self, kept: Kept, whose: str) -> None:
        """Let a letter wait; ``whose`` name stands in the words.

        Raises:
            Refusal: 480, there is no room.
        """
        try:
            self.box.add(kept)
        except BoxFull as error:
            raise Refusal(480, f"{whose} is away, and {error}") from error


def is_passing(content_type: str) -> bool:
    """Tell whether a text is for this moment only: that somebody is typing."""
    return _essence(content_type) == COMPOSING


def is_written(content_type: str) -> bool:
    """Tell whether a person wrote it, and so wants to know what became of it."""
    return _essence(content_type) in ("text/plain", "text/html", "message/cpim")


def _essence(content_type: str) -> str:
    try:
        return MediaType.parse(content_type).essence
    except SipError:
        return ""


@dataclass(frozen=True)
class Notice:
    """What a phone of ours is told about a letter to `peer`, as a message from them."""

    peer: Peer
    words: str

    @property
    def text(self) -> Text:
        """The message."""
        return Text(PLAIN, self.words.encode())


def kept_words(name: str, where: str, seconds: float) -> str:
    """Return the words for a letter that waits."""
    reason = f"{name} is away" if where == "here" else f"No phone of {name} is on"
    days = max(1, round(seconds / DAY))
    time = f"{days} days" if days > 1 else "a day"
    return f"{reason}. Your message waits, encrypted, for {time}; you will hear what becomes of it."


def delivered_words(written_at: float) -> str:
    """Return the words for a letter that waited and has arrived."""
    return f"Delivered: your message of {_when(written_at)}."


def expired_words(name: str, written_at: float) -> str:
    """Return the words for a letter that nobody came for."""
    return f"Not delivered: your message of {_when(written_at)}. {name} did not come back in time."


def refused_words(written_at: float, problem: str) -> str:
    """Return the words for a letter that waited and was refused."""
    return f"Not delivered: your message of {_when(written_at)}. {problem}"


def _when(at: float) -> str:
    return f"{datetime.fromtimestamp(at).astimezone():%d %B, %H:%M}"
