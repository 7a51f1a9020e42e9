"""The nodes met before: kept over restarts, so that a node needs no bootstrap address twice."""

import logging
from collections.abc import Iterable
from itertools import islice

import msgpack

from .ports import Store
from .protocol.endpoint import V6_BYTES, Endpoint
from .protocol.errors import WireError

logger = logging.getLogger(__name__)

MAX_PEERS = 200
HOUR = 3600.0
MAX_HOURS = 24 * 365


class RememberedPeers:
    """At most 200 endpoints, those seen last first, each with the hours for which it has not been seen.

    The hours are counted while the node runs: whatever the wall clock says, who was here lately comes first.
    """

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._unseen: dict[Endpoint, float] = {}
        self._written: dict[Endpoint, int] = {}
        raw = store.load() if store else None
        if raw is not None:
            self._written = _read(raw)
            self._unseen = {endpoint: hours * HOUR for endpoint, hours in self._written.items()}

    def load(self) -> list[Endpoint]:
        """Return the endpoints; none from a damaged file, which a running node replaces."""
        return list(self._unseen)

    def hours_unseen(self) -> dict[Endpoint, int]:
        """Return for how many hours each has not been seen."""
        return {endpoint: int(min(seconds / HOUR, MAX_HOURS)) for endpoint, seconds in self._unseen.items()}

    def save(self, seen_lately: Iterable[Endpoint], elapsed: float = 0.0) -> None:
        """Keep those seen now before those seen earlier; ``elapsed`` seconds have passed since this was last done.

        Writes only when the list has changed, or somebody has been away for another hour.
        """
        kept = dict.fromkeys(seen_lately, 0.0)
        for endpoint, seconds in self._unseen.items():
            kept.setdefault(endpoint, seconds + elapsed)
        self._unseen = dict(islice(kept.items(), MAX_PEERS))
        hours = self.hours_unseen()
        if hours == self._written:  # in whatever order
            return
        self._written = hours
        if self._store is None:
            return
        try:
            self._store.save(msgpack.packb([[endpoint.pack(), unseen] for endpoint, unseen in hours.items()]))
        except OSError as error:  # a full disk is no reason to leave the mesh
            logger.warning("the nodes met could not be written down: %s", error.strerror)


def _read(raw: bytes) -> dict[Endpoint, int]:
    try:
        rows = msgpack.unpackb(raw, max_array_len=MAX_PEERS, max_bin_len=V6_BYTES, max_map_len=0)
        return {Endpoint.unpack(packed): _hours(unseen) for packed, unseen in rows}
    except (ValueError, TypeError, WireError, msgpack.UnpackException):
        return {}


def _hours(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_HOURS:
        raise ValueError("hours")
    return value
