"""What the gateway needs from outside, in its own words.

Who stands behind a name (`Directory`), whether a caller may ring (`Admission`), who our own users are
(`Accounts`), what becomes of text (`Mailbox`), what happens to the media of a call (`MediaFactory`,
`CallMedia`) and who answers in place of a phone (`Service`). The gateway never learns that a DHT, OpenPGP,
ICE or DTLS exist: it passes SDP, letters and keys on as bytes.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .protocol.server_location import Question, Record

Trust = Literal["new", "introduced", "pinned", "verified", "self", "plain", "anonymous"]
Role = Literal["caller", "callee"]


class Refusal(Exception):
    """The call is refused: `status` for the phone, `reason` as a sentence for the person who holds it.

    `warning` is the text of a Warning header (RFC 3261 20.43, code 399) where one is apt; `alternatives` are
    the URIs for the Contacts of a 300 Multiple Choices; `retry_after` are seconds until it is worth another
    try; `challenge` is the WWW-Authenticate of a 401.
    """

    def __init__(
        self,
        status: int,
        reason: str,
        warning: str | None = None,
        alternatives: tuple[str, ...] = (),
        *,
        retry_after: int | None = None,
        challenge: str | None = None,
    ) -> None:
        if not 300 <= status <= 699:
            raise ValueError(f"{status} is not a final failure status")
        super().__init__(f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.warning = warning
        self.alternatives = alternatives
        self.retry_after = retry_after
        self.challenge = challenge


class MediaRefused(Refusal):
    """An offer or answer cannot be served: usually 488 with the sentence that says what is missing."""

    def __init__(
        self, status: int = 488, reason: str = "This phone's media settings cannot be used here"
    ) -> None:
        super().__init__(status, reason)


@dataclass(frozen=True)
class Peer:
    """The other party of a call, as far as it is known: who, how sure, and which node speaks for them.

    `known` says that it may learn where we are while it still rings. `endpoints` are (IP literal, TCP port)
    of the node, best first. `introduced_by` are the URIs of known people who vouch for them.
    """

    uri: str
    display_name: str
    trust: Trust
    fingerprint: str
    node_public_key: bytes
    known: bool
    endpoints: tuple[tuple[str, int], ...] = ()
    introduced_by: tuple[str, ...] = ()


class Directory(Protocol):
    """Finds who stands behind a mesh URI."""

    async def resolve(self, uri: str) -> Peer:
        """Return the party to call; raise `Refusal` (404, 300, 403, 480, 503) when there is none to call."""
        ...


@dataclass(frozen=True)
class IncomingCaller:
    """What an INVITE from another node claims. Its Identity has proven the node key, nothing else.

    `remote_host` is the IP address that it came from; `proof` is its Authorization, empty without. A `text` and
    a wish to see whether somebody is there (`look`) claim the same.
    """

    uri: str
    called_uri: str
    node_public_key: bytes
    openpgp_key: bytes
    delegation: bytes
    display_name: str
    remote_host: str = ""
    proof: str = ""
    purpose: Literal["call", "text", "look"] = "call"


class DomainNames(Protocol):
    """Asks the DNS where plain SIP domains are."""

    async def ask(self, question: Question) -> Sequence[Record]:
        """Return the records that answer, none when there are none; raise `Refusal` 503 when nobody answers."""
        ...


Whereabouts = Callable[[bytes], Awaitable[Sequence[tuple[str, int]]]]
"""Where the node with that public key says it is now, (IP literal, TCP port), best first; nothing when nobody knows."""


async def nowhere(_node_public_key: bytes) -> Sequence[tuple[str, int]]:
    """Know of nobody."""
    return ()


class Admission(Protocol):
    """Decides whether a caller from the mesh may ring here."""

    async def admit(self, caller: IncomingCaller) -> Peer:
        """Return the caller as we know it; raise `Refusal` (403 and others) to turn it away."""
        ...


class Doorkeeper(Protocol):
    """Turns callers away before anything is spent on them: no call has begun, and nothing they say was checked."""

    async def knock(self, caller: IncomingCaller) -> None:
        """Return when the caller may come in to be admitted; raise `Refusal` else (401: after some work)."""
        ...


class OpenDoor:
    """Lets everybody in."""

    async def knock(self, caller: IncomingCaller) -> None:
        """Return."""


class Work(Protocol):
    """Does the work that another node asks of a caller whom it does not know."""

    async def prove(self, challenge: str, called_uri: str, is_wanted: Callable[[], bool]) -> str | None:
        """Return the Authorization that a WWW-Authenticate asks for; None when it cannot be, or is no longer wanted."""
        ...


class NoWork:
    """Does none."""

    async def prove(self, challenge: str, called_uri: str, is_wanted: Callable[[], bool]) -> str | None:  # noqa: ARG002
        """Return None."""
        return None


class Audience(Protocol):
    """Decides who in the mesh may see whether one of our users can be called."""

    async def may_see(self, watcher: IncomingCaller) -> Peer:
        """Return the watcher as we know them; raise `Refusal` 403 for everybody whom the user has not accepted."""
        ...


class Nobody:
    """The audience of those who show themselves to nobody."""

    async def may_see(self, watcher: IncomingCaller) -> Peer:  # noqa: ARG002 - the same for all
        """Raise `Refusal`."""
        raise Refusal(403, "This user shows nobody whether they can be called")


@dataclass(frozen=True)
class LocalUser:
    """One of our own users: the mesh URI, the SIP account of their phones, and what proves them to peers.

    `secret` belongs to a paired `device`, or to the phones beside the node (empty). Those come in the clear, on a
    socket that only they can reach; a device comes over TLS, unless it `may_be_plain`. When it is called, the keys of
    its media stand in the description, or come `by_dtls`.
    """

    uri: str
    username: str
    display_name: str
    openpgp_key: bytes
    delegation: bytes
    secret: str = field(repr=False)
    algorithms: tuple[str, ...] = ("MD5",)
    device: str = ""
    may_be_plain: bool = True
    by_dtls: bool = False


class Accounts(Protocol):
    """Our own users."""

    def by_username(self, username: str) -> LocalUser | None:
        """Return the user with that SIP account name."""
        ...

    def by_uri(self, uri: str) -> LocalUser | None:
        """Return the user with that canonical mesh URI, short or self-certifying."""
        ...


@dataclass(frozen=True)
class Text:
    """What a phone writes: the media type with its parameters as it stood in SIP, and the bytes, untouched."""

    content_type: str
    body: bytes


Taken = Literal["delivered", "kept"]


class Mailbox(Protocol):
    """Carries text between our phones and other people, and keeps it for who is away."""

    async def send(self, sender: LocalUser, target: str, text: Text) -> Taken:
        """Bring what a phone of `sender` wrote to the canonical URI `target`; raise `Refusal` when nobody takes it."""
        ...

    async def receive(self, user: LocalUser, sender: Peer, openpgp_key: bytes, letter: bytes) -> Taken:
        """Take a sealed letter for `user` that the node of `sender`, who was admitted, has brought.

        `openpgp_key` is the key by which they were admitted. Raise `Refusal` when it is not theirs, cannot be
        read, or is wanted by nobody.
        """
        ...


@dataclass(frozen=True)
class MediaContext:
    """What the media of one call needs to know about the call.

    `call_id` is the SIP Call-ID of the mesh leg, the same at both nodes. `phone_host` is our own IP address
    as the phone sees it, for the SDP that the phone gets; RTP is taken from `phone_allowed` only, the
    addresses of the phones that may take part (a service in the node: 127.0.0.1). `peer_host` is the IP
    address that the peer's signalling goes to or comes from. With a peer of a plain domain (trust `plain`) the media
    is not encrypted; `may_reach` tells whether it may be sent to an address that such a peer names. In an `anonymous`
    call of ours nothing may go out that tells whose phone it is, and nothing that was kept of the peer may be used.
    """

    call_id: str
    role: Role
    peer: Peer
    local_uri: str
    phone_host: str
    peer_host: str
    phone_allowed: frozenset[str] = frozenset()
    may_reach: Callable[[str], bool] = lambda _address: False
    anonymous: bool = False


class CallMedia(Protocol):
    """The media of one call between the phone side and the mesh side.

    SDP goes in and comes out as bytes; each method raises `MediaRefused` when it cannot be served. Offers and
    answers alternate as RFC 3264 demands; only an answer may come again, when another device of the callee
    answers the offer that the first had answered early (183).
    """

    async def offer_from_phone(self, sdp: bytes) -> bytes:
        """Turn the phone's offer or re-offer into the offer for the mesh."""
        ...

    async def answer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the peer's answer into the answer for the phone."""
        ...

    async def offer_from_mesh(self, sdp: bytes) -> bytes:
        """Turn the peer's offer or re-offer into the offer for our phones."""
        ...

    async def answer_from_phone(self, sdp: bytes) -> bytes:
        """Turn a phone's answer into the answer for the mesh."""
        ...

    def secure_offer(self, sdp: bytes, said: bytes, *, by_dtls: bool, rings_alone: bool) -> bytes:
        """Turn an offer for our phones into one for a phone that has to encrypt its media, up to this node at least.

        `said` is the phone's latest description in this dialog, empty in the first offer: in that the keys come
        `by_dtls`, or stand in it. A phone that `rings_alone` may be offered the far phone's own keys.
        """
        ...

    def transport_fragment(self) -> bytes | None:
        """Return our transport as application/trickle-ice-sdpfrag (RFC 8840), or None when there is none."""
        ...

    async def transport_from_mesh(self, fragment: bytes) -> None:
        """Take the peer's transport, from its 18x, its ACK, or its answer to a renewal."""
        ...

    async def transport_renewal(self) -> bytes:
        """Wait until the peer has to know our transport anew; return it, to be sent in the dialog at once.

        While the peer's answer is not there (`transport_from_mesh`) it stays due.
        """
        ...

    async def renew_transport(self, fragment: bytes) -> bytes:
        """Take the peer's transport in the middle of the call; return ours, for the answer."""
        ...

    async def connected(self) -> None:
        """Wait until it is proven that sound has a way in both directions, and may go there."""
        ...

    async def failed(self) -> tuple[int, str]:
        """Wait until the media has failed for good; return the status and the sentence the call ends with."""
        ...

    async def aclose(self) -> None:
        """Free sockets and keys. May be called in any state, more than once."""
        ...


@dataclass(frozen=True)
class PhoneSide:
    """One side of a call within this node: our IP address as the phones there see it, and those they send from."""

    host: str
    allowed: frozenset[str]


class MediaFactory(Protocol):
    """Makes the media of each call."""

    async def open(self, context: MediaContext) -> CallMedia:
        """Return the media of a new call; raise `MediaRefused` when none can be had."""
        ...

    async def between(self, calling: PhoneSide, called: PhoneSide) -> CallMedia:
        """Return media that passes on what phones of this node say; the called ones stand where the mesh does."""
        ...


@dataclass(frozen=True)
class Alias:
    """Who our user is in one anonymous call: keys made for it, and nothing that leads back to the user.

    `directory` finds whom to call and leaves no note of it; `media` and `work` act under these keys.
    """

    user: LocalUser
    node_key: Ed25519PrivateKey
    directory: Directory
    media: MediaFactory
    work: Work


class Aliases(Protocol):
    """Makes aliases."""

    async def draw(self) -> Alias:
        """Return a fresh one."""
        ...


class Service(Protocol):
    """A party that lives in the node instead of a phone (echo, fc-call): its media looks like a phone's."""

    async def offer(self) -> bytes:
        """Return the SDP offer of a call that the service places."""
        ...

    async def answer(self, offer: bytes) -> bytes:
        """Return the SDP answer to an offer or re-offer."""
        ...

    async def answered(self, answer: bytes) -> None:
        """Take the answer to the own offer."""
        ...

    async def aclose(self) -> None:
        """The call is over."""
        ...
