"""The event state compositor's table: what phones have published, as soft state (RFC 3903)."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from .errors import SipError

T = TypeVar("T")


@dataclass(frozen=True)
class Publication(Generic[T]):
    """One published state, until `expires_at`."""

    state: T
    expires_at: float


class Publications(Generic[T]):
    """Publications by resource and entity tag. Resources are ours, and each has at most `cap` of them."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._published: dict[Hashable, dict[str, Publication[T]]] = {}

    def publish(
        self, resource: Hashable, *, match: str | None, state: T | None, lasts: float, tag: str, now: float
    ) -> None:
        """Take one PUBLISH (RFC 3903 6, steps 4 to 6); its publication is under `tag` from now on.

        `match` is SIP-If-Match; `state` is None without a body. First publication, refresh, change and
        removal (`lasts` 0) are told apart by what is there.

        Raises:
            SipError: 412 for a tag that is not or no longer known, 400 for a first publication without a
                body, 403 for one too many.
        """
        self.expire(now)
        mine = dict(self._published.get(resource, {}))
        if match is None:
            if state is None:
                raise SipError(400, "Nothing is published")
        elif match not in mine:
            raise SipError(412, "Conditional Request Failed")
        else:
            known = mine.pop(match)
            state = known.state if state is None else state
        if lasts > 0:
            mine[tag] = Publication(state, now + lasts)
        if len(mine) > self._cap:
            raise SipError(403, "Too many phones publish for this user")
        self._store(resource, mine)

    def states(self, resource: Hashable, now: float) -> list[T]:
        """Return what is published and has not run out, the oldest publication first."""
        return [each.state for each in self._published.get(resource, {}).values() if now < each.expires_at]

    def expire(self, now: float) -> set[Hashable]:
        """Forget what has run out; return the resources that this changes."""
        changed = set()
        for resource, mine in list(self._published.items()):
            left = {tag: each for tag, each in mine.items() if now < each.expires_at}
            if len(left) < len(mine):
                changed.add(resource)
                self._store(resource, left)
        return changed

    def next_expiry(self) -> float | None:
        """Return when the next publication runs out."""
        return min(
            (each.expires_at for mine in self._published.values() for each in mine.values()), default=None
        )

    def __len__(self) -> int:
        return sum(map(len, self._published.values()))

    def _store(self, resource: Hashable, mine: dict[str, Publication[T]]) -> None:
        if mine:
            self._published[resource] = mine
        else:
            self._published.pop(resource, None)
