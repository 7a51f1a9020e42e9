"""What the media of a call tells its owner. Values only; `MediaStatistics` is a snapshot to be asked for."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class MediaConnected:
    """ICE and DTLS are up on the first live section: `setup_ms` after both transports were known."""

    call_id: str
    setup_ms: float


@dataclass(frozen=True)
class Secured:
    """The confirmation has run: `words` to compare, `signed` when the expected key signed the same session.

    It is told once, or, when the peer's signature takes longer than the confirmation may, twice: first with
    `signed` false, later with `signed` true. `elapsed_ms` counts from the end of the DTLS handshake.
    """

    call_id: str
    words: tuple[str, str, str, str]
    session_hash: bytes
    signed: bool
    dtls_version: str
    cipher: str
    profile: str
    elapsed_ms: float


@dataclass(frozen=True)
class MediaFailed:
    """The media failed for good; the call must end with `status` and `reason` (a sentence)."""

    call_id: str
    status: int
    reason: str


MediaEvent = MediaConnected | Secured | MediaFailed


@dataclass(frozen=True)
class DirectionStatistics:
    """What went one way through the bridge: RTP and RTCP packets, RTP payload-and-header bytes."""

    packets: int = 0
    bytes: int = 0
    rtcp_packets: int = 0


@dataclass(frozen=True)
class MediaStatistics:
    """A snapshot over all sections: both directions, and drops by cause (docs/protocol/media.md)."""

    to_mesh: DirectionStatistics = DirectionStatistics()
    to_phone: DirectionStatistics = DirectionStatistics()
    drops: dict[str, int] = field(default_factory=dict)
