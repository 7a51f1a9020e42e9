"""What a node keeps for others: checked before it is kept, and bounded by the rules of the files beside this one.

`record.py` says what is genuine, `sequence.py` what is newer, `quota.py` how much one address may store, and
`prefix_limit.py` how many claims under one name come from one network.
"""

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from .errors import StoreCode, StoreRefused, WireError
from .prefix_limit import is_crowded
from .quota import MAX_VALUES, Quota
from .record import MAX_TTL_SECONDS, Kind, check_blob, key_hint, parse_record
from .sequence import check_supersedes

MAX_SLOTS = 16
OWN = ""
NEVER_KEPT = -math.inf


@dataclass
class Held:
    """One value: what it is, when it expires, and whose address stored it (`OWN` for this node itself)."""

    target: bytes
    kind: Kind
    slot: bytes
    seq: int
    raw: bytes
    withdrawn: bool
    ttl: int
    host: str
    hint: bytes = b""
    since: float = 0.0
    expires: float = NEVER_KEPT

    def age(self, now: float) -> int:
        """Return how many seconds ago its owner published it."""
        return max(0, int(now - self.expires) + self.ttl)


class RecordStore:
    """Values by target and slot: a claim's slot is its node key, so nobody overwrites another's claim."""

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self._max_values = max_values
        self._values: OrderedDict[tuple[bytes, bytes], Held] = OrderedDict()
        self._by_target: dict[bytes, dict[bytes, Held]] = {}
        self._quota = Quota()

    def __len__(self) -> int:
        return len(self._values)

    def put(self, target: bytes, kind: int, raw: bytes, host: str, now: float, age: int = 0) -> None:
        """Keep a value that came from ``host`` (`OWN`: from this node, without quota).

        ``age``: how many seconds ago its owner published it. So it expires everywhere at once, however often it was
        handed on; else the records of those who are gone would be handed from newcomer to newcomer for ever.

        Raises:
            StoreRefused: malformed or wrongly signed, older than what is held, or over a quota.
        """
        held = self._same(target, raw)
        if held is None:
            held = _checked(target, kind, raw, host)
            if age >= held.ttl:
                raise StoreRefused(StoreCode.STALE, "its time is over")
            held.since = now
            self._replace(held, now)
        elif host == OWN and held.host != OWN:
            self._quota.remove(held.host)
            held.host = OWN
        held.expires = max(held.expires, now + held.ttl - age)

    def get(self, target: bytes, now: float, prefer: bytes = b"") -> list[bytes]:
        """Return the live values under a target, those first that have been here longest; withdrawn ones are left out.

        The value of the node key with the `key_hint` ``prefer`` comes before all. So whoever floods a name comes last.
        """
        slots = self._by_target.get(target, {})
        for held in [held for held in slots.values() if held.expires <= now]:
            self._drop(held)
        live = sorted(slots.values(), key=lambda held: (held.hint != prefer, held.since))
        return [held.raw for held in live if not held.withdrawn]

    def expire(self, now: float) -> None:
        """Drop what has outlived its time."""
        for held in [held for held in self._values.values() if held.expires <= now]:
            self._drop(held)

    def grow_older(self, seconds: float) -> None:
        """Let all values expire so much earlier: the clock stood still for that time."""
        for held in self._values.values():
            held.expires -= seconds

    def held(self) -> Iterator[Held]:
        """Go through all values."""
        return iter(list(self._values.values()))

    def _same(self, target: bytes, raw: bytes) -> Held | None:
        """Find the very same bytes, already checked: a republish costs no signature check."""
        for held in self._by_target.get(target, {}).values():
            if held.raw == raw:
                return held
        return None

    def _replace(self, held: Held, now: float) -> None:
        old = self._by_target.get(held.target, {}).get(held.slot)
        if old is not None:
            check_supersedes(held.seq, held.raw, old.seq, old.raw)
            self._drop(old)
            held.since = old.since
        try:
            self._make_room(held, now)
        except StoreRefused:
            if old is not None:
                self._insert(old)
            raise
        self._insert(held)

    def _make_room(self, held: Held, now: float) -> None:
        if held.host == OWN:
            return
        if len(self._values) >= self._max_values:
            self.expire(now)
        if len(self._values) >= self._max_values:
            raise StoreRefused(StoreCode.FULL, "the store is full")
        self._quota.check(held.host)
        slots = self._by_target.get(held.target, {}).values()
        if len(slots) >= MAX_SLOTS:
            raise StoreRefused(StoreCode.FULL, "too many claims under one name")
        if is_crowded((other.host for other in slots if other.host != OWN), held.host):
            raise StoreRefused(StoreCode.FULL, "too many claims under one name from one network")

    def _insert(self, held: Held) -> None:
        self._values[held.target, held.slot] = held
        self._by_target.setdefault(held.target, {})[held.slot] = held
        if held.host != OWN:
            self._quota.add(held.host)

    def _drop(self, held: Held) -> None:
        self._values.pop((held.target, held.slot), None)
        slots = self._by_target.get(held.target, {})
        slots.pop(held.slot, None)
        if not slots:
            self._by_target.pop(held.target, None)
        if held.host != OWN:
            self._quota.remove(held.host)


def _checked(target: bytes, kind: int, raw: bytes, host: str) -> Held:
    try:
        if kind == Kind.BLOB:
            check_blob(target, raw)
            return Held(target, Kind.BLOB, b"", 0, raw, withdrawn=False, ttl=MAX_TTL_SECONDS, host=host)
        record = parse_record(target, raw)
    except WireError as error:
        raise StoreRefused(StoreCode.INVALID, str(error)) from error
    if record.kind != kind:
        raise StoreRefused(StoreCode.INVALID, "another kind than announced")
    slot = record.kind.to_bytes(1, "big") + record.public_key
    hint = key_hint(record.public_key)
    return Held(target, record.kind, slot, record.seq, raw, record.is_withdrawn, record.ttl, host, hint)
