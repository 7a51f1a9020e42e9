"""Bootstrap lists: the nodes of one network, small enough for paper, so that a newcomer needs no server to begin.

A list is the msgpack array of `FIELDS`; `SignedList` puts a signature beside it. Bytes: docs/bootstrap.md. Whoever made
a list may be wrong, hostile, or have a wrong clock: parsing is strict and bounded, a date alone refuses nothing.
"""

import hashlib
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgpack

from .endpoint import V4_BYTES, V6_BYTES, Endpoint
from .errors import WireError
from .network import Network

VERSION = 1
FIELDS = (
    "version",
    "name",
    "network key",
    "created",
    "lifetime",
    "v4",
    "v6",
    "scores",
    "days",
    "signer's key",
)
MAX_NODES = 200
MAX_NAME_BYTES = 40
NETWORK_KEY_BYTES = range(16, 33)
MAX_CREATED = 253_402_300_799  # the end of the year 9999: what a calendar can show
MAX_LIFETIME_DAYS = 36_500
MAX_DAYS = 255
MAX_SCORE = 100
UNKNOWN_SCORE = 50
MAX_KEY_BYTES = 8192
MAX_SIGNATURE_BYTES = 2048
MAX_LIST_BYTES = 16_384
CHECK_BYTES = 4
DAY: Final = 86_400
SLACK_DAYS = 1


class ListRefused(Exception):
    """The list cannot be used. The text completes the sentence "The list is refused: ..."."""


@dataclass(frozen=True)
class Entry:
    """A node: where it listens, how well it could be reached, when last.

    ``score`` is 0 to 100 in the opinion of who made the list. ``days`` count back from the list's creation; 255 is 255
    or more.
    """

    endpoint: Endpoint
    score: int = UNKNOWN_SCORE
    days: int = 0

    @property
    def rank(self) -> tuple[int, int]:
        """Sorts the best first."""
        return (-self.score, self.days)


@dataclass(frozen=True)
class BootstrapList:
    """The nodes of one network.

    ``network.key`` is the secret of a private network. ``created`` is in Unix seconds, ``lifetime_days`` 0 when
    no end is set. ``signer_key`` is the OpenPGP public key of who signs, or empty.
    """

    name: str
    entries: tuple[Entry, ...]
    created: int
    lifetime_days: int = 0
    network: Network = field(default_factory=Network)
    signer_key: bytes = b""

    def __post_init__(self) -> None:
        _check_name(self.name)
        if self.network.key and len(self.network.key) not in NETWORK_KEY_BYTES:
            raise ListRefused("its network key is not 16 to 32 bytes long")
        if not 0 <= self.created <= MAX_CREATED or not 0 <= self.lifetime_days <= MAX_LIFETIME_DAYS:
            raise ListRefused("its date is out of range")
        if len(self.entries) > MAX_NODES:
            raise ListRefused(f"it names {len(self.entries)} nodes, and {MAX_NODES} are allowed")
        if len({entry.endpoint for entry in self.entries}) != len(self.entries):
            raise ListRefused("it names a node twice")
        if not all(0 <= entry.score <= MAX_SCORE and 0 <= entry.days <= MAX_DAYS for entry in self.entries):
            raise ListRefused("a score is out of range")
        if len(self.signer_key) > MAX_KEY_BYTES:
            raise ListRefused("the key of who signed it is too large")

    def __bytes__(self) -> bytes:
        v4 = [entry for entry in self.entries if not entry.endpoint.is_v6]
        v6 = [entry for entry in self.entries if entry.endpoint.is_v6]
        told = any((entry.score, entry.days) != (UNKNOWN_SCORE, 0) for entry in self.entries)
        scored = v4 + v6 if told else []
        data: bytes = msgpack.packb(
            [
                VERSION,
                self.name,
                self.network.key,
                self.created,
                self.lifetime_days,
                b"".join(entry.endpoint.pack() for entry in v4),
                b"".join(entry.endpoint.pack() for entry in v6),
                bytes(entry.score for entry in scored),
                bytes(entry.days for entry in scored),
                self.signer_key,
            ]
        )
        return data

    @classmethod
    def parse(cls, data: bytes) -> "BootstrapList":
        """Read what `bytes()` writes, and nothing else.

        Raises:
            ListRefused: malformed, too large, or it names what cannot be a node.
        """
        fields = _unpack(data, most=len(FIELDS))
        if not _is_well_typed(fields):
            raise ListRefused("it is damaged")
        if fields[0] != VERSION:
            raise ListRefused("it was made by a newer version of Free Call; update yours")
        _, name, key, created, lifetime, v4, v6, scores, days, signer_key = fields
        endpoints = [*_endpoints(v4, V4_BYTES), *_endpoints(v6, V6_BYTES)]
        made = cls(name, _entries(endpoints, scores, days), created, lifetime, Network(key), signer_key)
        if bytes(made) != data:
            raise ListRefused("it is not written in its one canonical form")
        return made

    @property
    def is_private(self) -> bool:
        """True when only those who have the list can take part."""
        return bool(self.network.key)

    def age_days(self, now: float) -> int:
        """Return how old it is; negative when it is dated in the future, so that one of the clocks is wrong."""
        return int((now - self.created) // DAY)

    def is_expired(self, now: float) -> bool:
        """True past its lifetime by this clock. It is used all the same, after others."""
        return bool(self.lifetime_days) and self.age_days(now) > self.lifetime_days + SLACK_DAYS

    def best_first(self) -> "BootstrapList":
        """Return it sorted."""
        return replace(self, entries=tuple(sorted(self.entries, key=lambda entry: entry.rank)))

    def shortened(self, nodes: int) -> "BootstrapList":
        """Return the form for paper: the best nodes, best first, without scores, dates of contact and the key."""
        best = self.best_first().entries[:nodes]
        return replace(self, entries=tuple(Entry(entry.endpoint) for entry in best), signer_key=b"")

    def without_strangers_loopback(self) -> "BootstrapList":
        """Return it without addresses that mean something only to who made it.

        Loopback is this machine, and link-local needs an interface. A list of nothing but loopback is for several
        nodes on one machine, and stays.
        """
        if all(entry.endpoint.is_loopback for entry in self.entries):
            return self
        return replace(self, entries=tuple(e for e in self.entries if not _is_local(e.endpoint)))


@dataclass(frozen=True)
class SignedList:
    """A list's own bytes, as they were signed, and the signature over them; an empty one when nobody signed.

    A checksum goes along, so that damage is noticed where no signature tells.
    """

    body: bytes
    signature: bytes = b""

    def __bytes__(self) -> bytes:
        check = hashlib.sha256(self.body + self.signature).digest()[:CHECK_BYTES]
        data: bytes = msgpack.packb([self.body, self.signature, check])
        return data

    @property
    def content(self) -> BootstrapList:
        """The list.

        Raises:
            ListRefused: malformed.
        """
        return BootstrapList.parse(self.body)

    @classmethod
    def parse(cls, data: bytes) -> "SignedList":
        """Read what `bytes()` writes; the list inside is checked too, the signature is not.

        Raises:
            ListRefused: malformed or too large.
        """
        fields = _unpack(data, most=3)
        if not isinstance(fields, list) or [type(part) for part in fields] != [bytes, bytes, bytes]:
            raise ListRefused("it is damaged")
        signed = cls(*fields[:2])
        if bytes(signed) != data or len(signed.signature) > MAX_SIGNATURE_BYTES:
            raise ListRefused("it has been damaged or changed since it was made; get it anew")
        BootstrapList.parse(signed.body)
        return signed


def _unpack(data: bytes, *, most: int) -> Any:
    if len(data) > MAX_LIST_BYTES:
        raise ListRefused(f"it is larger than {MAX_LIST_BYTES} bytes")
    try:
        return msgpack.unpackb(
            data,
            max_array_len=most,
            max_map_len=0,
            max_ext_len=0,
            max_str_len=MAX_NAME_BYTES,
            max_bin_len=MAX_LIST_BYTES,
        )
    except (ValueError, msgpack.UnpackException, RecursionError) as error:
        raise ListRefused("it is damaged, or no bootstrap list at all") from error


def _is_well_typed(fields: Any) -> bool:
    types = [int, str, bytes, int, int, bytes, bytes, bytes, bytes, bytes]
    return isinstance(fields, list) and [type(value) for value in fields] == types


def _check_name(name: str) -> None:
    if not 0 < len(name.encode(errors="replace")) <= MAX_NAME_BYTES:
        raise ListRefused(f"a network's name has 1 to {MAX_NAME_BYTES} bytes")
    if not name.isprintable() or name != name.strip():
        raise ListRefused("the network's name has characters that cannot be shown")


def _endpoints(packed: bytes, size: int) -> list[Endpoint]:
    if len(packed) % size or len(packed) // size > MAX_NODES:
        raise ListRefused("it is damaged, or names too many nodes")
    try:
        return [Endpoint.unpack(packed[at : at + size]) for at in range(0, len(packed), size)]
    except WireError as error:
        raise ListRefused("it names an address that is no node's") from error


def _entries(endpoints: list[Endpoint], scores: bytes, days: bytes) -> tuple[Entry, ...]:
    if not scores and not days:
        return tuple(Entry(endpoint) for endpoint in endpoints)
    if not len(scores) == len(days) == len(endpoints):
        raise ListRefused("it is damaged: not each node has its score")
    return tuple(map(Entry, endpoints, scores, days))


def _is_local(endpoint: Endpoint) -> bool:
    return endpoint.is_loopback or endpoint.host.startswith("fe80:")
