"""Tells, and is told by the peer's node, whether what one phone says reaches the other."""

import asyncio
from collections.abc import Callable

from .aiortc_adapter.dtls import DtlsSession
from .bridge import Bridge
from .errors import MediaError
from .events import CallHearing, MediaEvent
from .protocol.hearing import Count, Hearing, is_report


class HearingWatch:
    """One section's, while its association stands."""

    def __init__(
        self, call_id: str, bridge: Bridge, session: DtlsSession, on_event: Callable[[MediaEvent], None]
    ) -> None:
        self._call_id = call_id
        self._bridge = bridge
        self._session = session
        self._on_event = on_event
        self._hearing = Hearing()

    def from_mesh(self, data: bytes) -> bool:
        """Take a report of the peer; tell whether the record was one."""
        if not is_report(data):
            return False
        if self._hearing.receive(Count.parse(data), self._count()):
            assert self._hearing.outgoing is not None
            assert self._hearing.incoming is not None
            self._on_event(CallHearing(self._call_id, self._hearing.outgoing, self._hearing.incoming))
        return True

    async def run(self) -> None:
        """Report, until the association is gone."""
        while True:
            await asyncio.sleep(self._hearing.pause_seconds)
            try:
                await self._session.send(bytes(self._count()))
            except MediaError:
                return

    def _count(self) -> Count:
        return Count(self._bridge.to_phone.packets, self._bridge.to_mesh.packets)
