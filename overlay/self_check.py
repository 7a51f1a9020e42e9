"""The self-check: can others find us? A node that is isolated says so instead of being silently unreachable.

A node may have contacts and yet be cut off: its table holds liars, or a part of the mesh that nobody else reaches (a
proxy of another project ran for 14 days with no good node and did not notice). So each minute it looks for its own node
record as a stranger would: from a random contact, not from its own store nor from its neighbours.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from .dht import MeshProtocol
from .lookups import LookupRunner
from .protocol.record import Kind
from .publisher import Publisher

logger = logging.getLogger(__name__)

CHECK_SECONDS = 60.0
CUT_OFF_SECONDS = 5.0
GUIDES = 3


class SelfCheck:
    """Looks for our own node record through others, as long as `run` runs. Nothing is checked until it is published."""

    def __init__(
        self,
        protocol: MeshProtocol,
        lookups: LookupRunner,
        publisher: Publisher,
        *,
        on_cut_off: Callable[[], Awaitable[None]],
        on_found: Callable[[], None],
    ) -> None:
        self.is_cut_off = False
        self._protocol = protocol
        self._lookups = lookups
        self._publisher = publisher
        self._on_cut_off = on_cut_off
        self._on_found = on_found

    async def run(self) -> None:
        """Check for ever: each minute, each few seconds while nobody finds us."""
        while True:
            seconds = CUT_OFF_SECONDS if self.is_cut_off else CHECK_SECONDS
            await asyncio.sleep(seconds * self._protocol.dice.uniform(0.8, 1.2))
            if len(self._protocol.router) and self._publisher.publishes(
                Kind.NODE, self._protocol.key.node_id
            ):
                await self._check()

    async def _check(self) -> None:
        if await self._is_found():
            if self.is_cut_off:
                self.is_cut_off = False
                self._on_found()
            return
        if not self.is_cut_off:
            self.is_cut_off = True
            logger.info("no other node finds this one")
        await self._on_cut_off()

    async def _is_found(self) -> bool:
        """Look in two ways: as a stranger would, then thoroughly, after the record was published anew."""
        key = self._protocol.key
        guides = self._protocol.dice.sample(
            contacts := list(self._protocol.router), min(GUIDES, len(contacts))
        )
        if await self._lookups.is_held(key.node_id, Kind.NODE, key.public_key, guides):
            return True
        await self._publisher.renew(Kind.NODE, key.node_id)
        found = await self._lookups.values(key.node_id, Kind.NODE, public_key=key.public_key)
        return found.holders > 0 or not found.answered  # silence says nothing: who is silent leaves the table
