"""What the gateway tells its owner. `call` is a short id, the same over a call's whole life."""

from dataclasses import dataclass
from typing import Literal

from .ports import Peer, Trust

Direction = Literal["out", "in"]
By = Literal["phone", "peer", "node"]
Part = Literal["transferor", "transferee", "target"]


@dataclass(frozen=True)
class PhoneRegistered:
    """A phone registered or refreshed; `expires` in seconds; `device` is the paired device that it is, or empty."""

    user: str
    contact: str
    expires: int
    device: str = ""


@dataclass(frozen=True)
class PhoneUnregistered:
    """A phone took its binding back, or the binding ran out."""

    user: str
    contact: str


@dataclass(frozen=True)
class RegistrationRefused:
    """A phone gave a wrong secret, an unknown user, or asked for something we do not do."""

    user: str
    reason: str


@dataclass(frozen=True)
class CallStarted:
    """A call to (`out`) or from (`in`) a peer has begun; `call_id` is the SIP Call-ID of its mesh leg.

    `anonymous`: the caller does not say who they are.
    """

    call: str
    direction: Direction
    peer: str
    display: str
    trust: Trust
    call_id: str
    introduced_by: tuple[str, ...] = ()
    anonymous: bool = False

    @classmethod
    def of(
        cls, peer: Peer, call: str, direction: Direction, call_id: str, *, anonymous: bool = False
    ) -> "CallStarted":
        """Return the beginning of a call with ``peer``."""
        known = (peer.uri, peer.display_name, peer.trust)
        hidden = anonymous or peer.trust == "anonymous"
        return cls(call, direction, *known, call_id, peer.introduced_by, hidden)


@dataclass(frozen=True)
class CallPlain:
    """Our call to `peer` goes to a plain SIP domain: it is not encrypted, and nobody proves who they are."""

    call: str
    peer: str


@dataclass(frozen=True)
class CallRinging:
    """The callee's phone rings."""

    call: str


@dataclass(frozen=True)
class CallForwarded:
    """The node of `by` has sent our call on to `to` (URIs); `reason` is one of RFC 5806. `CallStarted` follows anew."""

    call: str
    by: str
    to: str
    reason: str


@dataclass(frozen=True)
class CallAnswered:
    """The callee has picked up."""

    call: str


@dataclass(frozen=True)
class CallRefused:
    """The call did not come about. Also sent for attempts that ended before `CallStarted` (unknown name)."""

    call: str
    status: int
    reason: str
    peer: str
    direction: Direction


@dataclass(frozen=True)
class CallEnded:
    """The call is over, `by` whom; `status` 200 for a normal end."""

    call: str
    by: By
    reason: str
    status: int


@dataclass(frozen=True)
class CallTransferred:
    """`by` has sent `whom` to `to` (URIs): what `part` our user has in it.

    `call` is the call that this ends, `into` the new one; the transferor has none.
    """

    call: str
    into: str
    part: Part
    by: str
    whom: str
    to: str


@dataclass(frozen=True)
class MessageSent:
    """A phone of ours wrote to a peer; `message` is an id of the letter, the same at both nodes."""

    message: str
    peer: str
    trust: Trust
    content_type: str


@dataclass(frozen=True)
class MessageDelivered:
    """A phone of the peer has taken our message."""

    message: str
    peer: str


@dataclass(frozen=True)
class MessageReceived:
    """A phone of ours has taken a message; `kept` tells that it had to wait for a phone here."""

    message: str
    peer: str
    display: str
    trust: Trust
    content_type: str
    kept: bool


@dataclass(frozen=True)
class MessageKept:
    """A message waits: ours (`out`) `here` or at the peer's node (`there`), or the peer's (`in`) here."""

    message: str
    peer: str
    direction: Direction
    where: Literal["here", "there"]


@dataclass(frozen=True)
class MessageExpired:
    """A message that was kept was not taken in time."""

    message: str
    peer: str
    direction: Direction


@dataclass(frozen=True)
class MessageRefused:
    """A message was not taken, and is not kept; `message` is empty when there was no letter yet."""

    message: str
    peer: str
    direction: Direction
    status: int
    reason: str


@dataclass(frozen=True)
class CallMissed:
    """A call from the mesh that nobody answered; `call_id` is the SIP Call-ID of its mesh leg, `user` whose it was."""

    call_id: str
    user: str
    peer: str
    display: str
    trust: Trust


GatewayEvent = (
    PhoneRegistered
    | PhoneUnregistered
    | RegistrationRefused
    | CallStarted
    | CallRinging
    | CallAnswered
    | CallRefused
    | CallEnded
    | CallForwarded
    | CallMissed
    | CallPlain
    | CallTransferred
    | MessageSent
    | MessageDelivered
    | MessageReceived
    | MessageKept
    | MessageExpired
    | MessageRefused
)
