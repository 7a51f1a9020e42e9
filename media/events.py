"""What the media of a call tells its owner. Values only; `MediaStatistics` is a snapshot to be asked for."""

from dataclasses import dataclass, field
from typing import Literal

from .protocol.hearing import Direction


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


@dataclass(frozen=True)
class CallQuality:
    """What the sound that came from the peer was like since the call began; `final` once, when it is over.

    `far_loss` (0 to 1) is what the far phone lost at last, `round_trip_ms` is to the far phone; both are None when its
    RTCP does not tell. `mos` is the E-model's estimate for the way between, 1 to 4.41.
    """

    call_id: str
    received: int
    lost: int
    reordered: int
    jitter_ms: float
    far_loss: float | None
    round_trip_ms: float | None
    mos: float
    final: bool


@dataclass(frozen=True)
class CallHearing:
    """Whether sound comes through, at first and at each change: `outgoing` to the far phone, `incoming` to ours."""

    call_id: str
    outgoing: Direction
    incoming: Direction


SecuredBy = Literal["ZRTP", "SRTP", ""]


@dataclass(frozen=True)
class PhonesSecureThemselves:
    """What the phones say is encrypted from phone to phone as well, and no node opens it.

    `by` tells who knows the keys: with ZRTP the phones alone, with SRTP (SDES) each phone's node, too, and the
    other's, which have passed them on. Empty: it is so no longer, the phones' SRTP ends at their nodes.
    """

    call_id: str
    by: SecuredBy


PathState = Literal["lost", "repairing", "restored"]


@dataclass(frozen=True)
class MediaPath:
    """The path to the peer is `lost` (nothing was heard for two seconds), `repairing` or `restored` after `gap_ms`.

    `repairing` says that the two nodes have found each other and told each other where they are now.
    """

    call_id: str
    state: PathState
    gap_ms: float | None = None


MediaEvent = (
    MediaConnected | Secured | MediaFailed | MediaPath | CallQuality | CallHearing | PhonesSecureThemselves
)


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
