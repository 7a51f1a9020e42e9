"""The nodes met before: kept over restarts, so that a node needs no bootstrap address twice."""

import logging
from collections.abc import Iterable

import msgpack

from .ports import Store
from .protocol.endpoint import V6_BYTES, Endpoint
from .protocol.errors import WireError

logger = logging.getLogger(__name__)

MAX_PEERS = 200


class RememberedPeers:
    """At most 200 endpoints, those seen last first."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._saved: list[Endpoint] = []

    def load(self) -> list[Endpoint]:
        """Return the endpoints; none from a damaged file, which a running node replaces."""
        raw = self._store.load() if self._store else None
        if raw is None:
            return list(self._saved)
        try:
            packed = msgpack.unpackb(raw, max_array_len=MAX_PEERS, max_bin_len=V6_BYTES, max_map_len=0)
            self._saved = [Endpoint.unpack(item) for item in packed if isinstance(item, bytes)]
        except (ValueError, TypeError, WireError, msgpack.UnpackException):
            self._saved = []
        return list(self._saved)

    def save(self, seen_lately: Iterable[Endpoint]) -> None:
        """Keep those seen now before those seen earlier; writes only when the list has changed."""
        merged = list(dict.fromkeys([*seen_lately, *self._saved]))[:MAX_PEERS]
        if merged == self._saved:
            return
        self._saved = merged
        if self._store is None:
            return
        try:
            self._store.save(msgpack.packb([endpoint.pack() for endpoint in merged]))
        except OSError as error:  # a full disk is no reason to leave the mesh
            logger.warning("the nodes met could not be written down: %s", error.strerror)
