"""Where SIP messages go to and come from: hops, flows, and what a transport tells its owner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from .protocol.errors import SipError

TransportName = Literal["udp", "tcp", "tls"]
FlowSide = Literal["phone", "mesh"]
Address = tuple[str, int]

MAX_MESSAGE_BYTES = 65_536


class TransportError(Exception):
    """The other side cannot be reached this way: refused, timed out, closed, or not the node we want."""


@dataclass(frozen=True)
class Hop:
    """The next hop of a request: an IP literal, a port, and how to get there.

    `tls` requires `node_public_key` (32 raw bytes, Ed25519) or `domain`: a connection to anything that cannot
    prove that key, or show a certificate for that SIP domain (RFC 5922), fails before one byte of SIP is sent.
    `alone` is a secret of one anonymous call: its connection is shared with nothing else, and names no address of ours.
    """

    transport: TransportName
    host: str
    port: int
    node_public_key: bytes | None = None
    domain: str | None = None
    alone: str = ""

    def __post_init__(self) -> None:
        if self.transport == "tls" and not self.domain and len(self.node_public_key or b"") != 32:
            raise ValueError("a hop over TLS needs the 32 bytes of the node's public key")
        if not 0 < self.port < 65_536:
            raise ValueError(f"{self.port} is not a port")


class Flow(Protocol):
    """A way to one remote party: a connection, or a UDP socket and a remote address (RFC 5626 1.1).

    A request that came on a flow is answered on it, and requests may be sent on it instead of to a hop.
    """

    @property
    def transport(self) -> TransportName:
        """What carries it."""
        ...

    @property
    def side(self) -> FlowSide:
        """Who is at the other end: another node, over TLS, or somebody else, who has to prove who they are."""
        ...

    @property
    def local(self) -> Address:
        """Our own address on it."""
        ...

    @property
    def remote(self) -> Address:
        """The address that the other side has for us."""
        ...

    @property
    def node_public_key(self) -> bytes | None:
        """The key that the other side has proven in the TLS handshake, on connections that we made."""
        ...

    @property
    def is_anonymous(self) -> bool:
        """Whether nothing on it may say where we listen."""
        ...

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent on it any more. UDP flows close with their socket."""
        ...

    async def closed(self) -> None:
        """Wait until it is closed."""
        ...

    def send(self, data: bytes) -> None:
        """Send one whole message; raise `TransportError` when that is not possible."""
        ...


class Owner(Protocol):
    """What a transport tells the endpoint. All of it is called from the event loop and must not block."""

    def data_received(self, data: bytes, flow: Flow) -> None:
        """One whole message came, not parsed yet."""
        ...

    def malformed_received(self, error: SipError, flow: Flow) -> None:
        """A stream brought something that is no SIP; it is closed next."""
        ...

    def flow_closed(self, flow: Flow) -> None:
        """A connection is gone."""
        ...

    def unreachable(self, remote: Address) -> None:
        """The network says that nobody receives at this UDP address (ICMP)."""
        ...


@dataclass(frozen=True)
class TransportLimits:
    """Seconds, counts and sizes of connections.

    `idle_timeout` is longer than a phone's registration (at most an hour), so that a phone that registered
    over a connection can be called on it. Who was heard `lately` is taken to be there still.
    """

    connect_timeout: float = 3.0
    handshake_timeout: float = 5.0
    first_message_timeout: float = 15.0
    message_timeout: float = 10.0
    idle_timeout: float = 3900.0
    ping_interval: float = 100.0
    pong_timeout: float = 10.0
    lately: float = 30.0
    connections: int = 1024
    connections_per_address: int = 128
    write_buffer_bytes: int = 1 << 20


def is_reliable(transport: TransportName) -> bool:
    """Tell whether the transport retransmits by itself, so that SIP needs not (RFC 3261 17)."""
    return transport != "udp"
