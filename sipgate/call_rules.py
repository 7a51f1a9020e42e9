"""What a user wants of calls from the mesh before the phones ring."""

from __future__ import annotations

from typing import Protocol

from .ports import LocalUser, Peer


class CallRules(Protocol):
    """Decides for the user whether a call that has been admitted rings."""

    def before_ringing(self, user: LocalUser, caller: Peer, others: int) -> None:
        """Return when the phones shall ring; ``others`` are the user's calls beside this one.

        Raises:
            Refusal: they shall not; the caller hears why.
        """
        ...


class RingAlways:
    """No rules."""

    def before_ringing(self, user: LocalUser, caller: Peer, others: int) -> None:
        """Return."""
