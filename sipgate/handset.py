"""What the gateway needs of a handset: a phone of one of our users that speaks no SIP, such as a browser."""

from typing import Protocol

from .ports import Peer


class HandsetLine(Protocol):
    """What a call lets its handset do."""

    @property
    def call(self) -> str:
        """The id that events carry; empty before the call has begun."""
        ...

    def hang_up(self, status: int = 200, reason: str = "hung up") -> None:
        """End the call, or give it up while it rings at the other end; once it is over, nothing."""
        ...

    async def change(self, offer: bytes) -> bytes:
        """Change the session (hold, another codec); return the answer. Raise `MediaRefused`: all stays as it was."""
        ...


class HandsetCall(Protocol):
    """One call of a handset, out or in. Its SDP is a plain phone's. Only `ring` and `reoffer` may wait for a person."""

    def take(self, line: HandsetLine) -> None:
        """Note what the call can be told by; comes first."""
        ...

    async def ring(self, caller: Peer, offer: bytes) -> bytes:
        """Ring; return the answer of who picks up. Raise `Refusal` when it is declined or `ended` comes first."""
        ...

    def present(self, peer: Peer) -> None:
        """Show who is called."""
        ...

    def progress(self, status: int) -> None:
        """Tell that it rings at the other end (18x)."""
        ...

    async def answered(self, answer: bytes) -> None:
        """Take the answer to the own offer; raise `MediaRefused`."""
        ...

    async def reoffer(self, offer: bytes) -> bytes:
        """Return the answer to a changed session; raise `MediaRefused`."""
        ...

    async def ended(self, status: int, reason: str) -> None:
        """The call is over; free what it holds. Comes once, whoever ended it."""
        ...


class Handset(Protocol):
    """A phone of one of our users that speaks no SIP: it is attached to the gateway while it is there."""

    def call_in(self) -> HandsetCall:
        """Return a new call that comes in; raise `Refusal` 486 when there are too many."""
        ...
