"""What media needs from outside, in its own words."""

from typing import Protocol


class EndorsementError(Exception):
    """No signature can be made or checked now: the sentence says why (a locked key, a missing agent)."""


class Retained(Protocol):
    """The secrets that are kept of calls with this very peer, and what becomes of them in this one."""

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """At most two, of 32 bytes each: the last one, and the one before."""
        ...

    def settle(self, *, matched: bool, fresh: bytes) -> None:
        """Called once, in a call that the peer has signed: had the peer one of `secrets`? Keep `fresh` from now on."""
        ...


class Endorser(Protocol):
    """Signs for our own user, and checks the signatures of the one party that this call is with.

    Both ends of a call ask theirs once. An implementation may take as long as it needs (a passphrase, a
    smartcard); the caller has its own deadline.
    """

    async def sign(self, statement: bytes) -> bytes:
        """Return our user's detached signature over `statement`, or raise `EndorsementError`."""
        ...

    async def verify(self, statement: bytes, signature: bytes) -> bool:
        """Tell whether `signature` over `statement` is valid and by the primary key expected of the peer.

        Raise `EndorsementError` with a sentence when it is known why it is not.
        """
        ...
