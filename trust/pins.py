"""Pins: which key a name had when we last talked, so that another key is a conflict and never silent."""

import enum
from dataclasses import dataclass

from .errors import PinConflict, PinsDamaged, PinsFull, UnknownPin
from .ports import Store

__all__ = ["Pin", "PinConflict", "Pins", "PinsDamaged", "PinsFull", "TrustState", "UnknownPin"]

MAX_PINS = 5000


class TrustState(enum.Enum):
    """What we know of a key under a name."""

    NEW = "new"
    PINNED = "pinned"
    VERIFIED = "verified"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Pin:
    """A key kept for a name: ``key`` is the transferable public key, ``since`` Unix seconds."""

    uri: str
    fingerprint: str
    key: bytes
    since: float
    verified: bool = False


class Pins:
    """The people we know. Loaded once; each change is on disk before the method returns."""

    def __init__(self, store: Store) -> None:
        raise NotImplementedError

    def state_of(self, uri: str, fingerprint: str) -> TrustState:
        """Return what we know of ``fingerprint`` under the canonical ``uri``."""
        raise NotImplementedError

    def get(self, uri: str) -> Pin | None:
        """Return the pin of a name, or None."""
        raise NotImplementedError

    def pin(self, uri: str, fingerprint: str, key: bytes, now: float) -> None:
        """Keep ``key`` for ``uri``.

        Raises:
            PinConflict: the name is pinned to another key, or carries another fingerprint itself.
            PinsFull: the limit is reached.
        """
        raise NotImplementedError

    def verify(self, uri: str) -> None:
        """Mark the pinned key as verified by a person.

        Raises:
            UnknownPin: the name is not pinned.
        """
        raise NotImplementedError

    def forget(self, uri: str) -> None:
        """Drop the pin of a name, if there is one."""
        raise NotImplementedError
