"""Tells each 10 s, and at the end, what the sound of a call is like."""

import asyncio
from collections.abc import Callable

from .bridge import Bridge
from .events import CallQuality, MediaEvent
from .protocol.quality import mean_opinion_score

QUALITY_SECONDS = 10.0


class QualityWatch:
    """Watches the sections of one call that sound comes through."""

    def __init__(self, call_id: str, on_event: Callable[[MediaEvent], None]) -> None:
        self._call_id = call_id
        self._on_event = on_event
        self._bridge: Bridge | None = None
        self._told = 0

    def watch(self, bridge: Bridge) -> None:
        """Look at this section from now on."""
        self._bridge = bridge

    async def run(self) -> None:
        """Tell while packets come: nothing of a call that is silent."""
        while True:
            await asyncio.sleep(QUALITY_SECONDS)
            if self._bridge is not None and self._bridge.reception.received != self._told:
                self._told = self._bridge.reception.received
                self._on_event(self._quality(self._bridge, final=False))

    def end(self) -> None:
        """Tell for the last time, if anything was ever heard."""
        bridge, self._bridge = self._bridge, None
        if bridge is not None and bridge.reception.received:
            self._on_event(self._quality(bridge, final=True))

    def _quality(self, bridge: Bridge, *, final: bool) -> CallQuality:
        reception, reports = bridge.reception, bridge.reports
        return CallQuality(
            call_id=self._call_id,
            received=reception.received,
            lost=reception.lost,
            reordered=reception.reordered,
            jitter_ms=reception.jitter_ms,
            far_loss=reports.far_loss,
            round_trip_ms=reports.round_trip_ms,
            mos=mean_opinion_score(reception.loss, (reports.round_trip_ms or 0.0) / 2),
            final=final,
        )
