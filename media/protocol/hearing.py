"""Who hears whom: each node tells the other how much sound has come, and how much it has sent.

A phone's own RTCP may be missing, and says nothing of the way between node and node. Sans-IO: reports go in with what
was counted here meanwhile, what to tell comes out.
"""

import struct
from dataclasses import dataclass
from typing import Literal

from .confirmation_messages import HEADER_BYTES, WIRE_VERSION

KIND = 8
"""The second byte of a report, beside the kinds of the confirmation."""

TALKING_PACKETS = 5
"""So many RTP packets between two reports are somebody talking: with 120 ms each they fill less than a second."""

QUIET_SECONDS, STEADY_SECONDS = 2.0, 5.0
"""Between two reports: while somebody is not heard, and while both are. 5 s cost 125 bit/s."""

_BODY = struct.Struct(">II")
_HEADER = bytes((WIRE_VERSION, KIND)) + _BODY.size.to_bytes(2)
_WRAP = 1 << 32

Direction = Literal["heard", "lost", "silent"]
"""`heard`: sound comes through. `lost`: it is sent, and does not. `silent`: none is sent (hold, mute)."""


def is_report(data: bytes) -> bool:
    """Tell whether a message is a whole report; any other is for the confirmation to judge."""
    return len(data) == HEADER_BYTES + _BODY.size and data.startswith(_HEADER)


@dataclass(frozen=True)
class Count:
    """RTP packets of one side since it has had keys, modulo 2³²: received for its phone, sent for it."""

    received: int
    sent: int

    def __bytes__(self) -> bytes:
        return _HEADER + _BODY.pack(self.received % _WRAP, self.sent % _WRAP)

    @classmethod
    def parse(cls, report: bytes) -> "Count":
        """Read a report for which `is_report` holds."""
        return cls(*_BODY.unpack(report[HEADER_BYTES:]))

    def since(self, before: "Count") -> "Count":
        """Return what has come and gone since then."""
        return Count((self.received - before.received) % _WRAP, (self.sent - before.sent) % _WRAP)


class Hearing:
    """One side's view. `outgoing` is our phone to theirs, `incoming` theirs to ours; None until the first report."""

    def __init__(self) -> None:
        self.outgoing: Direction | None = None
        self.incoming: Direction | None = None
        self._ours = self._theirs = Count(0, 0)

    @property
    def pause_seconds(self) -> float:
        """How long to wait before our next report."""
        return STEADY_SECONDS if self.outgoing == self.incoming == "heard" else QUIET_SECONDS

    def receive(self, theirs: Count, ours: Count) -> bool:
        """Take the peer's report and our own count at its arrival; tell whether a direction has changed."""
        far, near = theirs.since(self._theirs), ours.since(self._ours)
        before = self.outgoing, self.incoming
        self._theirs, self._ours = theirs, ours
        self.outgoing = _direction(near.sent, far.received)
        self.incoming = _direction(far.sent, near.received)
        return before != (self.outgoing, self.incoming)


def _direction(sent: int, received: int) -> Direction:
    if received:
        return "heard"
    return "lost" if sent >= TALKING_PACKETS else "silent"
