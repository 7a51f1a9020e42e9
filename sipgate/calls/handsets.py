"""The handsets of our users: phones without SIP, there for as long as they are attached."""

from __future__ import annotations

from sipgate.handset import Handset
from sipgate.ports import Peer, Refusal

from .handset_leg import HandsetLeg


class Handsets:
    """Handsets by user name. Bounded: users are ours, and each has at most `cap`."""

    def __init__(self, cap: int = 8) -> None:
        self._cap = cap
        self._handsets: dict[str, list[Handset]] = {}

    def add(self, username: str, handset: Handset) -> None:
        """Attach one; raise `Refusal` 503 when the user has as many as one may have."""
        attached = self._handsets.setdefault(username, [])
        if len(attached) >= self._cap:
            raise Refusal(503, "This user has as many browsers open as one user can have")
        attached.append(handset)

    def remove(self, username: str, handset: Handset) -> None:
        """Detach one."""
        self._handsets[username].remove(handset)

    def has(self, username: str) -> bool:
        """Tell whether a user has any."""
        return bool(self._handsets.get(username))

    def legs(self, username: str, caller: Peer, calling: Handset | None = None) -> tuple[HandsetLeg, ...]:
        """Return one leg for each that can take a call, without the calling one."""
        legs = []
        for handset in self._handsets.get(username, ()):
            if handset is not calling:
                try:
                    legs.append(HandsetLeg(handset.call_in(), caller))
                except Refusal:
                    continue  # it has its hands full: the others ring
        return tuple(legs)
