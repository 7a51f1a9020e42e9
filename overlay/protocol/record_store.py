"""What a node keeps for others: checked before it is kept; bounded in all, per key, per address, per network."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from .endpoint import prefix
from .errors import StoreCode, StoreRefused, WireError
from .record import MAX_TTL_SECONDS, Kind, check_blob, key_hint, parse_record

MAX_VALUES = 10_000
MAX_PER_HOST = 200
MAX_PER_PREFIX = 400
MAX_SLOTS = 16
MAX_SLOTS_PER_PREFIX = 2
OWN = ""


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
    expires: float = 0.0


class RecordStore:
    """Values by target and slot: a claim's slot is its node key, so nobody overwrites another's claim."""

    def __init__(self, max_values: int = MAX_VALUES) -> None:
        self._max_values = max_values
        self._values: OrderedDict[tuple[bytes, bytes], Held] = OrderedDict()
        self._by_target: dict[bytes, dict[bytes, Held]] = {}
        self._per_host: Counter[str] = Counter()
        self._per_prefix: Counter[bytes] = Counter()

    def __len__(self) -> int:
        return len(self._values)

    def put(self, target: bytes, kind: int, raw: bytes, host: str, now: float) -> None:
        """Keep a value that came from ``host`` (`OWN`: from this node, without quota).

        Raises:
            StoreRefused: malformed or wrongly signed, older than what is held, or over a quota.
        """
        held = self._same(target, raw)
        if held is None:
            held = _checked(target, kind, raw, host)
            held.since = now
            self._replace(held, now)
        elif host == OWN and held.host != OWN:
            self._count(held, -1)
            held.host = OWN
        held.expires = now + held.ttl

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
            if held.seq < old.seq or (held.seq == old.seq and held.raw != old.raw):
                raise StoreRefused(StoreCode.STALE, "a newer version is held")
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
        if self._per_host[held.host] >= MAX_PER_HOST:
            raise StoreRefused(StoreCode.FULL, "too much from one address")
        network = prefix(held.host)
        slots = self._by_target.get(held.target, {}).values()
        if len(slots) >= MAX_SLOTS:
            raise StoreRefused(StoreCode.FULL, "too many claims under one name")
        if network is None:
            return
        if self._per_prefix[network] >= MAX_PER_PREFIX:
            raise StoreRefused(StoreCode.FULL, "too much from one network")
        if sum(h.host != OWN and prefix(h.host) == network for h in slots) >= MAX_SLOTS_PER_PREFIX:
            raise StoreRefused(StoreCode.FULL, "too many claims under one name from one network")

    def _insert(self, held: Held) -> None:
        self._values[held.target, held.slot] = held
        self._by_target.setdefault(held.target, {})[held.slot] = held
        self._count(held, 1)

    def _drop(self, held: Held) -> None:
        self._values.pop((held.target, held.slot), None)
        slots = self._by_target.get(held.target, {})
        slots.pop(held.slot, None)
        if not slots:
            self._by_target.pop(held.target, None)
        self._count(held, -1)

    def _count(self, held: Held, by: int) -> None:
        if held.host == OWN:
            return
        self._per_host[held.host] += by
        if not self._per_host[held.host]:
            del self._per_host[held.host]
        network = prefix(held.host)
        if network is not None:
            self._per_prefix[network] += by
            if not self._per_prefix[network]:
                del self._per_prefix[network]


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
