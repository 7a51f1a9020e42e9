"""How the messages of one leg reach the other side, and what proves that a message comes from there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from sipgate.addresses import literal
from sipgate.identity import NodeIdentity, sender_of
from sipgate.ports import MediaRefused, Refusal, Whereabouts, nowhere
from sipgate.protocol.media_lines import has_keys, is_encrypted
from sipgate.protocol.message import Message, Request
from sipgate.transport import Address, Flow, Hop
from sipgate.ways import Way

from .joint import Side
from .sending import Sender

UNENCRYPTED = "This phone is paired for encrypted calls: let it use SRTP (SDES or DTLS), and nothing else"
KEYS_UNPROTECTED = (
    "This phone sends the keys of its encryption in the clear: pair it for TLS, or turn its SRTP off"
)
LOOPBACK = "127.0.0.1"
MAX_HOPS = 8


class Line(Protocol):
    """One side's transport and proof of identity. `contact` is our Contact there, `sender` the endpoint.

    `local_host` is our IP address as a phone sees it. The other side shows at least once in `session_interval`
    seconds that it is there; with 0 nobody looks. A phone that `must_encrypt` gets and gives descriptions of SRTP only;
    those that it is called with have keys in them, or they come `by_dtls`.
    """

    sender: Sender
    contact: str
    local_host: str
    session_interval: int
    must_encrypt: bool
    by_dtls: bool

    def check(self, sdp: bytes) -> None:
        """Raise `MediaRefused` when a description must not be said here, by either side."""
        ...

    @property
    def side(self) -> Side:
        """Which side."""
        ...

    @property
    def remote_host(self) -> str:
        """The IP address of the other side, as far as it is known."""
        ...

    def ways(self) -> Sequence[Way]:
        """Return the ways to try, best first; never empty."""
        ...

    def seal(self, request: Request) -> None:
        """Put what proves our identity on a request that is otherwise complete."""
        ...

    def cancel_headers(self, invite: Request) -> Iterable[tuple[str, str]]:
        """Return what proves our identity on the CANCEL of an INVITE."""
        ...

    def admit(self, request: Request, flow: Flow | None) -> None:
        """Raise `Refusal` when a request does not come from the other side of this line."""
        ...

    def learn(self, way: Way) -> None:
        """Note the way that worked."""
        ...


@dataclass(eq=False)
class PhoneLine:
    """To one phone beside us, known by its IP address; `device` is the paired device that it is, if it is one."""

    sender: Sender
    contact: str
    phone_ways: Sequence[Way]
    local_host: str = LOOPBACK
    session_interval: int = 0
    side: Side = "phone"
    device: str = ""
    must_encrypt: bool = False
    by_dtls: bool = False

    @property
    def remote_host(self) -> str:
        """The phone's address."""
        return host_of(self.phone_ways[0])

    def ways(self) -> Sequence[Way]:
        """Return the connection while it is open, then the address."""
        usable = [way for way in self.phone_ways if isinstance(way, Hop) or not way.is_closed]
        return usable or self.phone_ways[-1:]

    def check(self, sdp: bytes) -> None:
        """It is SRTP where it has to be, and shows its keys to nobody (RFC 4568 9.1)."""
        if self.must_encrypt and not is_encrypted(sdp):
            raise MediaRefused(488, UNENCRYPTED)
        way = self.phone_ways[0]
        is_read_by_others = way.transport != "tls" and not literal(host_of(way)).is_loopback
        if is_read_by_others and has_keys(sdp):
            raise MediaRefused(488, KEYS_UNPROTECTED)

    def seal(self, request: Request) -> None:
        """Phones want no proof of us: they listen on loopback or on the LAN that they trust."""

    def cancel_headers(self, invite: Request) -> Iterable[tuple[str, str]]:  # noqa: ARG002 - see `seal`
        """Return nothing."""
        return ()

    def admit(self, request: Request, flow: Flow | None) -> None:  # noqa: ARG002 - the address decides
        """Take requests from the phone's own address only, and none from the mesh side."""
        if flow is None:
            return
        if flow.side == "mesh" or not any(same(flow.remote[0], host_of(way)) for way in self.phone_ways):
            raise Refusal(403, "This call belongs to another phone")

    def learn(self, way: Way) -> None:
        """Keep a connection that the phone answered on."""
        if not isinstance(way, Hop) and way.transport != "udp" and way not in self.phone_ways:
            self.phone_ways = (way, *self.phone_ways)


@dataclass(eq=False)
class MeshLine:
    """To one other node: known by its key. `hops` are where to connect when there is no connection."""

    sender: Sender
    contact: str
    identity: NodeIdentity
    node_public_key: bytes
    hops: Sequence[Hop]
    flow: Flow | None = None
    local_host: str = ""  # nobody asks: the media finds its own way
    session_interval: int = 0
    must_encrypt: bool = False  # all of it is; this is about what stands in a description for a phone
    by_dtls: bool = False
    side: Side = "mesh"
    contact_at: Callable[[str], str] | None = None
    whereabouts: Whereabouts = nowhere

    def follow(self, addresses: Iterable[tuple[str, int]]) -> list[Hop]:
        """Connect there first from now on; return the hops that are new. Each is still pinned to the node's key."""
        alone = next((hop.alone for hop in self.hops), "")
        found = hops_to(self.node_public_key, addresses, alone)
        new = [hop for hop in found if hop not in self.hops]
        self.hops = [*found, *(hop for hop in self.hops if hop not in found)][:MAX_HOPS]
        return new

    @property
    def remote_host(self) -> str:
        """The address of the connection, or the first one to try."""
        return self.flow.remote[0] if self.flow is not None else self.hops[0].host

    def ways(self) -> Sequence[Way]:
        """Return the connection while it is open, then every known address."""
        if self.flow is not None and (not self.flow.is_closed or not self.hops):
            return (self.flow, *self.hops)
        return tuple(self.hops)

    def check(self, sdp: bytes) -> None:
        """The media looks at all of it."""

    def seal(self, request: Request) -> None:
        """Sign."""
        self.identity.sign(request)

    def cancel_headers(self, invite: Request) -> Iterable[tuple[str, str]]:
        """Return the signature of the CANCEL."""
        return self.identity.cancel_headers(invite)

    def admit(self, request: Request, flow: Flow | None) -> None:
        """Take requests that the other node has signed, on whatever TLS connection they come."""
        if sender_of(request) != self.node_public_key:
            raise Refusal(403, "This call belongs to another node")
        if flow is not None and flow.side != "mesh":
            raise Refusal(403, "Calls between nodes go over TLS only")
        if flow is not None:
            self.flow = flow

    def learn(self, way: Way) -> None:
        """Keep the connection that worked."""
        if not isinstance(way, Hop):
            self.flow = way


def hops_to(key: bytes, addresses: Iterable[tuple[str, int]], alone: str = "") -> list[Hop]:
    """Return hops over TLS, pinned to the key, each once; what is no address is left out."""
    usable = [
        (host, port) for host, port in dict.fromkeys(addresses) if _is_literal(host) and 0 < port < 65536
    ]
    return [Hop("tls", host, port, key, alone=alone) for host, port in usable[:MAX_HOPS]]


def addresses_in(message: Message, flow: Flow) -> list[tuple[str, int]]:
    """Return where the Contacts of a message say, and their ports where the connection came from."""
    contacts = message.contacts
    uris = [] if isinstance(contacts, str) else [contact.uri for contact in contacts]
    return [
        place
        for uri in uris
        for place in ((uri.host.strip("[]"), uri.port or 0), (flow.remote[0], uri.port or 0))
    ]


def _is_literal(host: str) -> bool:
    try:
        return not literal(host).is_multicast
    except ValueError:
        return False


def host_of(way: Way) -> str:
    """Return the IP address that a way leads to."""
    return way.host if isinstance(way, Hop) else way.remote[0]


def address_of(way: Way) -> Address:
    """Return the address that a way leads to."""
    return (way.host, way.port) if isinstance(way, Hop) else way.remote


def same(one: str, other: str) -> bool:
    """Tell whether two IP literals are the same address."""
    return literal(one) == literal(other)
