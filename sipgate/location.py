"""The location service: which phones each of our users has registered (RFC 3261 10.3)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from .ways import Route


class TooManyBindings(Exception):
    """This user has as many phones as one user may have."""


class StaleRequest(Exception):
    """A REGISTER that is older than one already served (same Call-ID, CSeq not higher)."""


@dataclass(frozen=True)
class Binding:
    """One registered phone.

    `contact` is its URI verbatim, `key` what makes two contacts the same phone, `route` where requests to it
    go, `device` the paired device that it is, if it is one. Its media `must_encrypt` (under keys that come `by_dtls`,
    or in descriptions), or may be plain. With an `instance` the binding lives as long as its flow, the one way in
    `route`; several flows of one instance lead to the same phone (RFC 5626).
    """

    contact: str
    key: str
    call_id: str
    cseq: int
    expires_at: float
    route: Route
    device: str = ""
    must_encrypt: bool = False
    by_dtls: bool = False
    instance: str = ""

    def is_expired(self, now: float) -> bool:
        """Tell whether the binding has run out."""
        return now >= self.expires_at


@dataclass(frozen=True)
class Change:
    """What an update did: bindings made or refreshed, and bindings gone."""

    bound: tuple[Binding, ...] = ()
    removed: tuple[Binding, ...] = ()


class Location:
    """Bindings by user. Bounded: users are ours, and each has at most `cap` bindings."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._bindings: dict[str, dict[str, Binding]] = {}
        self._soonest: float | None = None

    def bindings(self, user: str, now: float) -> tuple[Binding, ...]:
        """Return the live bindings of a user, latest registration first."""
        live = [each for each in self._bindings.get(user, {}).values() if not each.is_expired(now)]
        return tuple(sorted(live, key=lambda each: -each.expires_at))

    def update(self, user: str, wanted: tuple[Binding, ...], now: float) -> Change:
        """Apply one REGISTER, wholly or not at all; a binding that has expired already asks for removal.

        Raise `StaleRequest` or `TooManyBindings`.
        """
        table = {key: each for key, each in self._bindings.get(user, {}).items() if not each.is_expired(now)}
        removed = []
        for new in wanted:
            _refuse_stale(table.get(new.key), new.call_id, new.cseq)
            if not new.is_expired(now):
                table[new.key] = new
            elif gone := table.pop(new.key, None):
                removed.append(gone)
        if len(table) > self._cap:
            raise TooManyBindings
        self._store(user, table)
        return Change(tuple(each for each in wanted if each.key in table), tuple(removed))

    def clear(self, user: str, call_id: str, cseq: int, now: float) -> Change:
        """Remove every binding of a user (`Contact: *`). Raise `StaleRequest`."""
        table = self._bindings.get(user, {})
        for each in table.values():
            _refuse_stale(each, call_id, cseq)
        self._store(user, {})
        return Change(removed=tuple(each for each in table.values() if not each.is_expired(now)))

    def such(self, now: float, is_such: Callable[[Binding], bool]) -> tuple[tuple[str, Binding], ...]:
        """Return live bindings, as (user, binding)."""
        users = tuple(self._bindings)
        return tuple((user, each) for user in users for each in self.bindings(user, now) if is_such(each))

    def drop(self, user: str, key: str) -> Binding | None:
        """Remove one binding, as when its connection has closed; return it if it was there."""
        table = dict(self._bindings.get(user, {}))
        gone = table.pop(key, None)
        self._store(user, table)
        return gone

    def expire(self, now: float) -> tuple[tuple[str, Binding], ...]:
        """Remove and return what has run out, as (user, binding)."""
        if self._soonest is None or now < self._soonest:
            return ()
        gone = [
            (user, each)
            for user, table in self._bindings.items()
            for each in table.values()
            if each.is_expired(now)
        ]
        for user, each in gone:
            self.drop(user, each.key)
        self._soonest = min(
            (each.expires_at for table in self._bindings.values() for each in table.values()), default=None
        )
        return tuple(gone)

    def next_expiry(self) -> float | None:
        """Return when to call `expire` next: no binding runs out before."""
        return self._soonest

    def _store(self, user: str, table: dict[str, Binding]) -> None:
        for each in table.values():
            if self._soonest is None or each.expires_at < self._soonest:
                self._soonest = each.expires_at
        if table:
            self._bindings[user] = table
        else:
            self._bindings.pop(user, None)
        if not self._bindings:
            self._soonest = None


def each_once(bindings: Iterable[Binding]) -> tuple[Binding, ...]:
    """Return one binding for each phone: of several flows the latest is tried first, and the next when it fails."""
    phones: dict[str, Binding] = {}
    for binding in bindings:
        phone = binding.instance or binding.key
        first = phones.setdefault(phone, binding)
        if first is not binding:
            ways = (*first.route.ways, *binding.route.ways)
            phones[phone] = replace(first, route=replace(first.route, ways=ways))
    return tuple(phones.values())


def _refuse_stale(old: Binding | None, call_id: str, cseq: int) -> None:
    """RFC 3261 10.3 step 7: within one Call-ID, CSeq must grow."""
    if old is not None and old.call_id == call_id and cseq <= old.cseq:
        raise StaleRequest
