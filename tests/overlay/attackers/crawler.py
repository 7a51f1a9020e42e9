"""A crawler: has every value of every node, a dictionary of names, and everybody's OpenPGP key from a keyserver."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from overlay.protocol.claim import Claim, claim_target, unseal
from overlay.protocol.errors import WireError
from overlay.protocol.record import Kind, parse_record
from overlay.protocol.record_store import RecordStore
from overlay.protocol.sealed_blob import unseal_blob


@dataclass
class Crawler:
    """What was seen: for each target the values under it."""

    claims: dict[bytes, set[bytes]] = field(default_factory=dict)
    nodes: dict[bytes, set[bytes]] = field(default_factory=dict)
    blobs: dict[bytes, set[bytes]] = field(default_factory=dict)

    def read(self, store: RecordStore) -> None:
        """Take all that one node holds."""
        seen = {Kind.CLAIM: self.claims, Kind.NODE: self.nodes, Kind.BLOB: self.blobs}
        for held in store.held():
            seen[held.kind].setdefault(held.target, set()).add(held.raw)

    @property
    def values(self) -> list[bytes]:
        """All bytes seen."""
        return [
            raw for kind in (self.claims, self.nodes, self.blobs) for raws in kind.values() for raw in raws
        ]

    def learned(self, guesses: Iterable[str]) -> dict[str, Claim]:
        """Return the claims that open under one of the guessed URIs."""
        opened: dict[str, Claim] = {}
        for uri in guesses:
            target = claim_target(uri)
            for raw in self.claims.get(target, ()):
                try:
                    opened[uri] = unseal(uri, parse_record(target, raw).payload)
                except WireError:
                    continue
        return opened

    def keys(self, guesses: Iterable[str]) -> dict[str, bytes]:
        """Return the OpenPGP keys that open under one of the guessed URIs, each tried on each blob."""
        blobs = [raw for raws in self.blobs.values() for raw in raws]
        opened: dict[str, bytes] = {}
        for uri in guesses:
            for raw in blobs:
                try:
                    opened[uri] = unseal_blob(uri, raw)
                except WireError:
                    continue
        return opened

    def sees(self, words: Collection[bytes]) -> set[bytes]:
        """Return those of the words that stand in the clear in any value, in either case."""
        everything = b"\n".join(self.values)
        either = everything.lower()
        return {word for word in words if word in everything or word.lower() in either}
