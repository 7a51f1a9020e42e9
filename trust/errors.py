"""What can go wrong with keys and signatures. Each message is a sentence for the user."""

from .protocol.errors import (
    BadKey,
    BadSignature,
    DelegationRefused,
    IntroductionRefused,
    LetterRefused,
    ReceiptRefused,
    TrustError,
    Unreadable,
)

__all__ = [
    "BadKey",
    "BadSignature",
    "DelegationRefused",
    "IntroductionRefused",
    "KeyringError",
    "LetterRefused",
    "PinConflict",
    "PinsDamaged",
    "PinsFull",
    "ReceiptRefused",
    "SignatureRefused",
    "TrustError",
    "UnknownPin",
    "Unreadable",
]


class KeyringError(TrustError):
    """The user's OpenPGP keyring cannot be used. The message says why and what to do."""


class SignatureRefused(TrustError):
    """The other side's confirmation is not signed by the key that it should be. The call must end."""


class PinsDamaged(TrustError):
    """The file of known people cannot be read. Restore it from a copy, or remove it."""


class PinsFull(TrustError):
    """The file of known people is full. Forget some before new ones are kept."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"{limit} people are known, which is the limit. Forget some before new ones are kept."
        )


class PinConflict(TrustError):
    """A name is pinned to another key. Forget the old pin first, and only if you know why the key changed."""

    def __init__(self, uri: str) -> None:
        super().__init__(
            f"{uri} is already known under another key. Forget the old one first, if you know why it changed."
        )


class UnknownPin(TrustError):
    """Nobody is pinned under this name yet: a first call pins a key."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"No key is known for {uri} yet: the first confirmed call with them keeps it.")
