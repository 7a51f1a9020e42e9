"""What a user wants of calls: whether they ring, for how long, who gets them instead; and whether they show a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from .ports import LocalUser, Peer, Refusal


class Forwarded(Refusal):
    """302: the call goes on to somebody else, `to` (a URI); `why` is a reason of RFC 5806."""

    def __init__(self, to: str, why: str, text: str = "") -> None:
        super().__init__(302, text or f"Calls go on to {to.removeprefix('sip:')}", alternatives=(to,))
        self.to = to
        self.why = why


Outcome: TypeAlias = Callable[[Refusal, bool], Refusal]


def as_it_is(refusal: Refusal, has_rung: bool) -> Refusal:  # noqa: ARG001 - an `Outcome`
    """Return the refusal."""
    return refusal


class CallRules(Protocol):
    """Decides for the user about a call that has been admitted."""

    def before_ringing(self, user: LocalUser, caller: Peer, others: int) -> float | None:
        """Return for how many seconds the phones shall ring, None for as long as the caller waits.

        ``others`` are the user's calls beside this one.

        Raises:
            Refusal: they shall not ring; the caller hears why. `Forwarded`: and who is to be called instead.
        """
        ...

    def calls_anonymously(self, user: LocalUser) -> bool:
        """Tell whether the user's own calls do not say who they are, where nothing else is asked for."""
        ...

    def instead(self, user: LocalUser, caller: Peer, refusal: Refusal, *, has_rung: bool) -> Refusal:
        """Return what the caller hears when nobody took the call: that very refusal, or `Forwarded`."""
        ...


class RingAlways:
    """No rules."""

    def before_ringing(self, user: LocalUser, caller: Peer, others: int) -> float | None:
        """Return None."""

    def calls_anonymously(self, user: LocalUser) -> bool:  # noqa: ARG002 - see above
        """Tell that they do."""
        return False

    def instead(self, user: LocalUser, caller: Peer, refusal: Refusal, *, has_rung: bool) -> Refusal:  # noqa: ARG002
        """Return the refusal."""
        return refusal
