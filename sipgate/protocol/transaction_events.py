"""What the transaction layer wants done or known, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Literal

from .message import Request, Response
from .transaction import Path, Transaction

Cause = Literal["timeout", "transport", "cancelled", "overload"]


@dataclass(frozen=True)
class Send(Generic[Path]):
    """Send these bytes. When that fails and `transaction` is given, tell the layer `transport_failed`."""

    data: bytes
    path: Path
    transaction: Transaction[Path] | None


@dataclass(frozen=True)
class Received(Generic[Path]):
    """A new request for the user: a server transaction has begun."""

    transaction: Transaction[Path]


@dataclass(frozen=True)
class Acknowledged(Generic[Path]):
    """The ACK of a 2xx came (also each time it is repeated)."""

    transaction: Transaction[Path]
    ack: Request


@dataclass(frozen=True)
class Unacknowledged(Generic[Path]):
    """No ACK of a final response came in 64*T1. After a 2xx the user should end the dialog."""

    transaction: Transaction[Path]


@dataclass(frozen=True)
class Cancelled(Generic[Path]):
    """The caller wants this INVITE no more; the CANCEL is answered, the INVITE not yet."""

    transaction: Transaction[Path]
    cancel: Request


@dataclass(frozen=True)
class Responded(Generic[Path]):
    """A response for the user of a client transaction."""

    transaction: Transaction[Path]
    response: Response


@dataclass(frozen=True)
class Failed(Generic[Path]):
    """A client transaction ended without a final response from the other side."""

    transaction: Transaction[Path]
    cause: Cause


@dataclass(frozen=True)
class Undelivered(Generic[Path]):
    """The response of a server transaction could not be sent. The transaction goes on."""

    transaction: Transaction[Path]


@dataclass(frozen=True)
class Ended(Generic[Path]):
    """The transaction is over and forgotten."""

    transaction: Transaction[Path]


Event = (
    Send[Path]
    | Received[Path]
    | Acknowledged[Path]
    | Unacknowledged[Path]
    | Cancelled[Path]
    | Responded[Path]
    | Failed[Path]
    | Undelivered[Path]
    | Ended[Path]
)
