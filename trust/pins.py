"""Pins: which key a name had when we last talked, so that another key is a conflict and never silent."""

import base64
import binascii
import dataclasses
import enum
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .errors import PinConflict, PinsDamaged, PinsFull, UnknownPin
from .ports import Store
from .protocol.errors import BadUri
from .protocol.uris import MeshUri, fingerprint_bytes

__all__ = ["Pin", "PinConflict", "Pins", "PinsDamaged", "PinsFull", "TrustState", "UnknownPin"]

MAX_PINS = 5000
VERSION = 1


class TrustState(enum.Enum):
    """What we know of a key under a name."""

    NEW = "new"
    INTRODUCED = "introduced"
    PINNED = "pinned"
    VERIFIED = "verified"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Pin:
    """A key kept for a name: ``key`` is the transferable public key, ``since`` Unix seconds.

    ``node_public_key`` is the node that spoke for the person last, or empty: whose claim to look for first.
    """

    uri: str
    fingerprint: str
    key: bytes
    since: float
    verified: bool = False
    node_public_key: bytes = b""


class Pins:
    """The people we know. Loaded once; each change is on disk before the method returns.

    There is a limit, and a full table takes nobody new: pushing an old pin out would let a stranger with many
    names make us forget whom we know.
    """

    def __init__(self, store: Store, *, limit: int = MAX_PINS) -> None:
        """Load the pins.

        Raises:
            PinsDamaged: what the store holds cannot be read.
        """
        self._store = store
        self._limit = limit
        raw = store.load()
        self._pins = {} if raw is None else _parse(raw)

    def __len__(self) -> int:
        return len(self._pins)

    def __iter__(self) -> Iterator[Pin]:
        return iter(self._pins.values())

    def state_of(self, uri: str, fingerprint: str) -> TrustState:
        """Return what we know of ``fingerprint`` under the canonical ``uri``.

        Raises:
            BadUri: ``uri`` is not canonical.
        """
        if MeshUri.parse(uri).fingerprint not in (None, fingerprint):
            return TrustState.CONFLICT
        pin = self._pins.get(uri)
        if pin is None:
            return TrustState.NEW
        if pin.fingerprint != fingerprint:
            return TrustState.CONFLICT
        return TrustState.VERIFIED if pin.verified else TrustState.PINNED

    def get(self, uri: str) -> Pin | None:
        """Return the pin of a name, or None."""
        return self._pins.get(uri)

    def pin(self, uri: str, fingerprint: str, key: bytes, now: float, node_public_key: bytes = b"") -> None:
        """Keep ``key`` for ``uri``. Later calls bring the key (a new subkey, a new expiry) and the node up to date.

        Raises:
            PinConflict: the name is pinned to another key, or carries another fingerprint itself.
            PinsFull: the limit is reached.
        """
        if self.state_of(uri, fingerprint) is TrustState.CONFLICT:
            raise PinConflict(uri)
        known = self._pins.get(uri)
        if known is None:
            if len(self._pins) >= self._limit:
                raise PinsFull(self._limit)
            fingerprint_bytes(fingerprint)
            pin = Pin(uri, fingerprint, key, now, node_public_key=node_public_key)
        else:
            node_public_key = node_public_key or known.node_public_key
            pin = dataclasses.replace(known, key=key, node_public_key=node_public_key)
        if pin != known:
            self._change({**self._pins, uri: pin})

    def verify(self, uri: str) -> None:
        """Mark the pinned key as verified by a person.

        Raises:
            UnknownPin: the name is not pinned.
        """
        known = self._pins.get(uri)
        if known is None:
            raise UnknownPin(uri)
        self._change({**self._pins, uri: dataclasses.replace(known, verified=True)})

    def forget(self, uri: str) -> None:
        """Drop the pin of a name, if there is one."""
        if uri in self._pins:
            self._change({name: pin for name, pin in self._pins.items() if name != uri})

    def _change(self, pins: dict[str, Pin]) -> None:
        """Save first: what could not be written must not be believed until the next start."""
        self._store.save(_format(pins))
        self._pins = pins


def _format(pins: dict[str, Pin]) -> bytes:
    rows = [
        {**dataclasses.asdict(pin), "key": _base64(pin.key), "node_public_key": _base64(pin.node_public_key)}
        for pin in pins.values()
    ]
    return json.dumps({"version": VERSION, "pins": rows}, indent=1, sort_keys=True).encode() + b"\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _parse(raw: bytes) -> dict[str, Pin]:
    try:
        content = json.loads(raw)
        if content["version"] != VERSION:
            raise PinsDamaged(f"The file of known people has the unknown version {content['version']!r}.")
        pins = [_pin(row) for row in content["pins"]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise PinsDamaged(
            f"The file of known people is damaged ({error}). Restore it from a copy, or remove it; "
            "then everybody counts as a new person again."
        ) from error
    return {pin.uri: pin for pin in pins}


def _pin(row: Any) -> Pin:
    uri, fingerprint, since, verified = row["uri"], row["fingerprint"], row["since"], row["verified"]
    if not isinstance(since, int | float) or not isinstance(verified, bool):
        raise TypeError("a date or a mark is of the wrong type")
    carried = MeshUri.parse(uri).fingerprint
    fingerprint_bytes(fingerprint)
    if carried not in (None, fingerprint):
        raise BadUri(uri)
    try:
        key = base64.b64decode(row["key"], validate=True)
        node_public_key = base64.b64decode(row.get("node_public_key", ""), validate=True)
    except binascii.Error as error:
        raise ValueError("a key is not base64") from error
    return Pin(uri, fingerprint, key, float(since), verified, node_public_key)
