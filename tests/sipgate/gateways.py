"""Real gateways on loopback, real TLS between them; names, admission and media are stand-ins."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sipgate.endpoint import Endpoint
from sipgate.events import GatewayEvent
from sipgate.gateway import Gateway
from sipgate.limits import Limits
from sipgate.messages.post import Post
from sipgate.messages.to_node import AWAY
from sipgate.messages.to_phones import Delivery
from sipgate.plain.domains import Domains
from sipgate.ports import (
    CallMedia,
    IncomingCaller,
    LocalUser,
    MediaContext,
    MediaRefused,
    Peer,
    PhoneSide,
    Refusal,
    Service,
    Taken,
    Text,
)
from sipgate.protocol.timers import TimerValues
from tests.kit.sip_phone import PhoneCall, SipPhone

FAST = TimerValues(t1=0.05, t2=0.2, t4=0.25)
PATIENCE = 5.0


@dataclass
class Book:
    """Directory and admission of all nodes of a test: who is where, and how well known."""

    peers: dict[str, Peer] = field(default_factory=dict)
    refusals: dict[str, Refusal] = field(default_factory=dict)
    turned_away: dict[str, Refusal] = field(default_factory=dict)
    admitted: list[IncomingCaller] = field(default_factory=list)
    door: Callable[[IncomingCaller], None] = lambda caller: None  # noqa: ARG005 - an open one
    asked: list[tuple[str, str]] = field(default_factory=list)
    working: asyncio.Event | None = None
    watchers: list[IncomingCaller] = field(default_factory=list)
    judging: asyncio.Event | None = None
    unseen: set[str] = field(default_factory=set)
    hold: asyncio.Event | None = None
    moved: dict[bytes, tuple[str, int]] = field(default_factory=dict)
    resolving: asyncio.Event = field(default_factory=asyncio.Event)

    async def resolve(self, uri: str) -> Peer:
        self.resolving.set()
        if self.hold is not None:
            await self.hold.wait()
        if uri in self.refusals:
            raise self.refusals[uri]
        if uri not in self.peers:
            raise Refusal(404, f"Nobody is called {uri.partition(':')[2]}")
        return self.peers[uri]

    async def locate(self, node_public_key: bytes) -> tuple[tuple[str, int], ...]:
        return (self.moved[node_public_key],) if node_public_key in self.moved else ()

    async def knock(self, caller: IncomingCaller) -> None:
        self.door(caller)

    async def prove(self, challenge: str, called_uri: str, is_wanted: Callable[[], bool]) -> str | None:
        self.asked.append((challenge, called_uri))
        if self.working is not None:
            self.working.set()
            while is_wanted():  # noqa: ASYNC110 - as one who works
                await asyncio.sleep(0)
        return "proof" if challenge == "Work" else None

    async def admit(self, caller: IncomingCaller) -> Peer:
        self.admitted.append(caller)
        if caller.uri in self.turned_away:
            raise self.turned_away[caller.uri]
        peer = self.peers[caller.uri]
        return replace(peer, node_public_key=caller.node_public_key)

    async def may_see(self, watcher: IncomingCaller) -> Peer:
        self.watchers.append(watcher)
        if self.judging is not None:
            await self.judging.wait()
        if watcher.uri in self.unseen:
            raise Refusal(403, "They do not know you")
        return replace(self.peers[watcher.uri], node_public_key=watcher.node_public_key)


@dataclass
class Accounts:
    users: list[LocalUser] = field(default_factory=list)

    def by_username(self, username: str) -> LocalUser | None:
        return next((user for user in self.users if user.username == username), None)

    def by_uri(self, uri: str) -> LocalUser | None:
        return next((user for user in self.users if user.uri == uri), None)


@dataclass(eq=False)
class PassThrough:
    """Media that passes SDP on with a mark for each way it went."""

    context: MediaContext
    name: str = ""
    fragment: bytes | None = b"a=ice-ufrag:test\r\n"
    taken: list[bytes] = field(default_factory=list)
    rang_alone: list[bool] = field(default_factory=list)
    renewed: list[bytes] = field(default_factory=list)
    renewing: asyncio.Event = field(default_factory=asyncio.Event)
    refuses_renewal: bool = False
    refused_renewals: int = 0
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    failure: asyncio.Future[tuple[int, str]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    def _mark(self, sdp: bytes, mark: str) -> bytes:
        if b"unusable" in sdp:
            raise MediaRefused(488, "No codec in common")
        return sdp + f"a=x-{self.name or self.context.role}-{mark}\r\n".encode()

    async def offer_from_phone(self, sdp: bytes) -> bytes:
        return self._mark(sdp, "offer-out") + b"a=fingerprint:sha-256 AB:CD\r\n"

    async def answer_from_mesh(self, sdp: bytes) -> bytes:
        return self._mark(sdp, "answer-in")

    async def offer_from_mesh(self, sdp: bytes) -> bytes:
        return self._mark(sdp, "offer-in")

    async def answer_from_phone(self, sdp: bytes) -> bytes:
        return self._mark(sdp, "answer-out")

    def secure_offer(self, sdp: bytes, _said: bytes, *, by_dtls: bool, rings_alone: bool) -> bytes:
        self.rang_alone.append(rings_alone)
        return sdp.replace(b"RTP/AVP", b"UDP/TLS/RTP/SAVP" if by_dtls else b"RTP/SAVP")

    def transport_fragment(self) -> bytes | None:
        return self.fragment

    async def transport_from_mesh(self, fragment: bytes) -> None:
        self.taken.append(fragment)
        self.renewing.clear()

    async def connected(self) -> None:
        """There is nothing to wait for."""

    async def transport_renewal(self) -> bytes:
        await self.renewing.wait()
        return f"a=ice-ufrag:{self.context.role}\r\n".encode()

    async def renew_transport(self, fragment: bytes) -> bytes:
        if self.refuses_renewal:
            self.refused_renewals += 1
            raise MediaRefused(491, "Not yet")
        self.renewed.append(fragment)
        return f"a=ice-ufrag:{self.context.role}\r\n".encode()

    async def failed(self) -> tuple[int, str]:
        return await self.failure

    async def aclose(self) -> None:
        self.closed.set()


@dataclass
class Media:
    opened: list[PassThrough] = field(default_factory=list)
    sides: list[tuple[PhoneSide, PhoneSide]] = field(default_factory=list)

    async def open(self, context: MediaContext) -> CallMedia:
        self.opened.append(PassThrough(context))
        return self.opened[-1]

    async def between(self, calling: PhoneSide, called: PhoneSide) -> CallMedia:
        self.sides.append((calling, called))
        nobody = Peer("", "", "self", "", b"", known=True)
        context = MediaContext("", "caller", nobody, "", calling.host, called.host, calling.allowed)
        self.opened.append(PassThrough(context, "relay"))
        return self.opened[-1]


@dataclass
class EchoService:
    """A service that answers everything it is offered."""

    closed: asyncio.Event = field(default_factory=asyncio.Event)
    heard: list[bytes] = field(default_factory=list)
    sdp: bytes = b"v=0\r\nm=audio 9 RTP/AVP 0\r\n"

    async def offer(self) -> bytes:
        return self.sdp

    async def answer(self, offer: bytes) -> bytes:
        self.heard.append(offer)
        return self.sdp

    async def answered(self, answer: bytes) -> None:
        self.heard.append(answer)

    async def aclose(self) -> None:
        self.closed.set()


@dataclass
class Mail:
    """A mailbox whose letters are not sealed; it keeps what no phone takes."""

    book: Book
    brought: list[tuple[Peer, bytes, bytes]] = field(default_factory=list)
    kept: list[Text] = field(default_factory=list)
    post: Post | None = None

    async def send(self, sender: LocalUser, target: str, text: Text) -> Taken:
        assert self.post is not None
        letter = f"{text.content_type}\n".encode() + text.body
        return await self.post.to_node(sender, await self.book.resolve(target), letter)

    async def receive(self, user: LocalUser, sender: Peer, openpgp_key: bytes, letter: bytes) -> Taken:
        assert self.post is not None
        self.brought.append((sender, openpgp_key, letter))
        content_type, _, body = letter.partition(b"\n")
        text = Text(content_type.decode(), body)
        try:
            await self.post.to_phones(user, Delivery("id", sender, text))
        except Refusal as refusal:
            if refusal.status not in AWAY:
                raise
            self.kept.append(text)
            return "kept"
        return "delivered"


class Journal(list[GatewayEvent]):
    """The events of a gateway, to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Event()

    def append(self, event: GatewayEvent) -> None:
        super().append(event)
        self._news.set()

    async def more(self) -> None:
        self._news.clear()
        await self._news.wait()


@dataclass
class TestNode:
    """One gateway with its stand-ins."""

    __test__ = False

    name: str
    gateway: Gateway
    key: Ed25519PrivateKey
    book: Book
    media: Media
    accounts: Accounts
    services: dict[str, type[Service]]
    events: Journal
    mail: Mail
    phones: int = 0
    mesh: int = 0

    @property
    def uri(self) -> str:
        return f"sip:{self.name}@mesh"

    @property
    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def names(self) -> list[str]:
        """Return the kinds of the call events, in order."""
        kinds = [type(event).__name__ for event in self.events]
        return [kind.removeprefix("Call") for kind in kinds if kind.startswith("Call")]

    async def event(self, kind: type[GatewayEvent]) -> GatewayEvent:
        """Wait for an event."""
        async with asyncio.timeout(PATIENCE):
            while not (found := [event for event in self.events if isinstance(event, kind)]):
                await self.events.more()
        return found[0]

    async def idle(self) -> None:
        """Wait until no call and no dialog is left, and every media is closed."""
        async with asyncio.timeout(PATIENCE):
            while self.gateway.calls or len(self.gateway._node.dialogs):  # noqa: ASYNC110 - no event for it
                await asyncio.sleep(0.005)
        assert all(each.closed.is_set() for each in self.media.opened)


def user(name: str, **changes: object) -> LocalUser:
    made = LocalUser(
        f"sip:{name}@mesh", name, name.title(), f"key of {name}".encode(), b"delegation", f"{name}-pw"
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def nodes(
    *names: str,
    limits: Limits | None = None,
    users: dict[str, list[LocalUser]] | None = None,
    domains: Domains | None = None,
) -> AsyncIterator[list[TestNode]]:
    """Open one gateway for each name, each a stranger to none; check that nothing is left when they close."""
    book = Book()
    made = [_node(name, book, limits, (users or {}).get(name, [user(name)]), domains) for name in names]
    running = asyncio.all_tasks()
    try:
        for node in made:
            await node.gateway.__aenter__()
            node.phones = await node.gateway.listen_phones("127.0.0.1", 0)
            node.mesh = await node.gateway.listen_mesh("127.0.0.1", 0)
            for each in node.accounts.users:
                book.peers[each.uri] = Peer(
                    each.uri,
                    each.display_name,
                    "pinned",
                    "F" * 40,
                    node.public_key,
                    known=True,
                    endpoints=(("127.0.0.1", node.mesh),),
                )
        yield made
        for node in made:
            await node.idle()
    finally:
        for node in made:
            await node.gateway.__aexit__(None, None, None)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() <= running
    assert all(node.gateway._endpoint.transactions == 0 for node in made)


def _node(
    name: str, book: Book, limits: Limits | None, users: list[LocalUser], domains: Domains | None
) -> TestNode:
    key, accounts, media = Ed25519PrivateKey.generate(), Accounts(users), Media()
    events = Journal()
    services: dict[str, type[Service]] = {}
    mail = Mail(book)
    gateway = Gateway(
        node_key=key,
        accounts=accounts,
        directory=book,
        admission=book,
        audience=book,
        doorkeeper=book,
        work=book,
        shows_calls=True,
        media=media,
        services=services.get,
        on_event=events.append,
        mailbox=mail,
        domains=domains,
        whereabouts=book.locate,
        limits=limits,
        endpoint=functools.partial(Endpoint, timers=FAST),
    )
    mail.post = gateway.post
    return TestNode(name, gateway, key, book, media, accounts, services, events, mail)


@dataclass
class Pair:
    """Two nodes, a registered phone at each."""

    a: TestNode
    b: TestNode
    alice: SipPhone
    bob: SipPhone

    @property
    def book(self) -> Book:
        return self.a.book

    async def ringing(self) -> tuple[PhoneCall, PhoneCall]:
        """Let alice call bob; return both ends while it rings."""
        call = await self.alice.call("sip:bob@mesh")
        rung = await self.bob.rung()
        await call.response(180)
        return call, rung

    async def talking(self) -> tuple[PhoneCall, PhoneCall]:
        """Let alice call bob and bob answer."""
        call, rung = await self.ringing()
        await rung.answer()
        await call.response(200)
        return call, rung


@asynccontextmanager
async def pair(*, limits: Limits | None = None) -> AsyncIterator[Pair]:
    """Open two nodes with alice's phone at one and bob's at the other."""
    async with (
        nodes("alice", "bob", limits=limits) as (a, b),
        SipPhone("alice", a.phones) as alice,
        SipPhone("bob", b.phones) as bob,
    ):
        await alice.register()
        await bob.register()
        yield Pair(a, b, alice, bob)
