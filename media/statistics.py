"""Add up what went through the sections of a call."""

from collections import Counter
from collections.abc import Iterable

from .aiortc_adapter.ice import IceConnection
from .bridge import Bridge
from .events import DirectionStatistics, MediaStatistics
from .phone_leg import PhoneLeg


def collect(sections: Iterable[tuple[PhoneLeg, IceConnection, Bridge | None]]) -> MediaStatistics:
    """Return one snapshot over all sections; drops are added up by cause."""
    to_mesh, to_phone = [], []
    drops: Counter[str] = Counter()
    for phone, ice, bridge in sections:
        drops.update(phone.dropped)
        drops.update(ice.dropped)
        if bridge is not None:
            drops.update(bridge.dropped)
            to_mesh.append(bridge.to_mesh)
            to_phone.append(bridge.to_phone)
    return MediaStatistics(_total(to_mesh), _total(to_phone), dict(drops))


def _total(parts: list[DirectionStatistics]) -> DirectionStatistics:
    return DirectionStatistics(
        sum(part.packets for part in parts),
        sum(part.bytes for part in parts),
        sum(part.rtcp_packets for part in parts),
    )
