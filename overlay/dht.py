"""The DHT on sockets: a `kademlia` protocol whose every seam that meets the network is our own.

What stays of the package is its k-buckets and its shape; docs/decisions/ says what was wrong with the rest.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import lru_cache
from typing import Any

from kademlia.protocol import KademliaProtocol

from .identity import NodeKey
from .outstanding import Outstanding
from .protocol.contact import Contact
from .protocol.endpoint import Endpoint
from .protocol.errors import WireError
from .protocol.network import Network
from .protocol.nodeid import NodeId, node_id_of
from .protocol.proof import Proofs, is_authentic
from .protocol.reachability import REALMS, Standing, realm_of
from .protocol.record_store import RecordStore
from .protocol.request_budget import RequestBudget
from .protocol.responder import AMPLIFICATION, Responder
from .protocol.round_trip import RoundTrips
from .protocol.token import HeldTokens, Tokens
from .protocol.wire import (
    PADDED_PING,
    TRANSACTION_ID_BYTES,
    Answer,
    AnyRequest,
    Dialed,
    FindNode,
    FindValue,
    Nodes,
    Ping,
    Pong,
    Request,
    Store,
    Stored,
    Values,
    decode,
    encode_request,
    without_the_near,
)
from .routing import ENOUGH, MeshRoutingTable

logger = logging.getLogger(__name__)

MAX_PROVING = 32
STRIKES = 2

Spawn = Callable[[Coroutine[Any, Any, None]], object]


class MeshProtocol(KademliaProtocol):  # type: ignore[misc]
    """Requests and answers over up to two sockets (IPv4, IPv6). Nothing that arrives can make it raise."""

    router: MeshRoutingTable

    def __init__(
        self,
        source_node: Contact,
        storage: RecordStore,
        ksize: int,
        key: NodeKey,
        *,
        client: bool,
        network: Network,
        dice: random.Random,
    ) -> None:
        super().__init__(source_node, storage, ksize)
        self.router = MeshRoutingTable(self, ksize, source_node)
        self.key = key
        self.client = client
        self.network = network
        self.dice = dice
        self.store_of_records = storage
        self.round_trips = RoundTrips()
        self.dropped = 0
        self.on_contact: Callable[[Contact], None] = lambda _contact: None
        self.on_lost: Callable[[Contact], None] = lambda _contact: None
        self.standings = dict.fromkeys(REALMS, Standing.UNKNOWN)
        self.on_observed: Callable[[Endpoint, Endpoint], None] = lambda _observer, _endpoint: None
        self.on_write: Callable[[Endpoint], None] = lambda _endpoint: None
        self.on_request: Callable[[Endpoint], None] = lambda _source: None
        self.on_dial: Callable[[Endpoint | None, Endpoint], int] = lambda _endpoint, _asker: 0
        self.spawn: Spawn | None = None
        self._budget = RequestBudget()
        self._responder = Responder(
            key.public_key, key.sign, self.router, storage, Tokens(dice.randbytes(32)), self._dial
        )
        self._transports: dict[bool, asyncio.DatagramTransport] = {}
        self._outstanding = Outstanding(lambda: dice.randbytes(TRANSACTION_ID_BYTES), self.round_trips.learn)
        self._tokens = HeldTokens()
        self._proofs = Proofs()
        self._proving: set[tuple[str, int]] = set()
        self._strikes: dict[NodeId, int] = {}
        self.last_seen: dict[NodeId, float] = {}
        """The time of the last sign of life of each contact in the table, those unseen longest first."""

    def is_client_to(self, endpoint: Endpoint) -> bool:
        """Tell whether we ask to be in nobody's table: a mere client, or others of that realm may not reach us."""
        return self.client or self.standings[realm_of(endpoint)] in (Standing.UNKNOWN, Standing.CLOSED)

    @property
    def knows_few(self) -> bool:
        """True when a contact that does not answer may be the only one who could: then it is asked again."""
        return len(self.router) < ENOUGH

    def __getattr__(self, name: str) -> Any:
        """Undo the base class's: a missing attribute is an error, not a remote call."""
        raise AttributeError(name)

    # -- sockets -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        """Keep the socket, by address family."""
        host = transport.get_extra_info("sockname")[0]
        self._transports[":" in host] = transport

    def error_received(self, exc: Exception) -> None:
        """Ignore ICMP errors: the time-out of the request tells the same."""
        logger.debug("socket error: %s", exc)

    def close(self) -> None:
        """Close the sockets and end what is outstanding."""
        for transport in self._transports.values():
            transport.close()
        self._outstanding.close()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Answer a request or match an answer; anything else is counted and dropped."""
        try:
            transaction_id, message = decode(self.network.open(data), is_awaited=self._outstanding.awaits)
            source = _endpoint(addr[0], addr[1])
            if isinstance(message, Request):
                self._answer(transaction_id, message, source, len(data))
            else:
                self._match(transaction_id, message, source)
        except WireError as error:
            self.dropped += 1
            logger.debug("dropped a datagram: %s", error)

    def _send(self, data: bytes, endpoint: Endpoint) -> bool:
        transport = self._transports.get(endpoint.is_v6)
        if transport is None or transport.is_closing():
            return False
        try:
            transport.sendto(self.network.seal(data), (endpoint.host, endpoint.port))
        except OSError as error:  # uvloop raises here what asyncio gives to error_received
            self.error_received(error)
            return False
        return True

    # -- the answering side --------------------------------------------------------------------------------------

    def _dial(self, endpoint: Endpoint | None, asker: Endpoint) -> int:
        return self.on_dial(endpoint, asker)

    def _answer(self, transaction_id: bytes, request: AnyRequest, source: Endpoint, size: int) -> None:
        now = asyncio.get_running_loop().time()
        if self.client or source.port == 0 or not self._budget.allows(source.host, now):
            self.dropped += 1
            return
        self.on_request(source)
        if isinstance(request, Ping) and self.standings[realm_of(source)] is Standing.CLOSED:
            request = replace(request, prove=False)  # who proves its id is taken into a table
        answer = self._responder.answer(transaction_id, request, source, size, now)
        self._send(answer, source)
        # Our own question counts too: a stranger's address may be forged.
        if not request.client and len(answer) + PADDED_PING <= AMPLIFICATION * size:
            is_known = self._responder.is_proven(request, source, now)
            self.prove_later(Contact(request.sender, source), is_known=is_known)

    # -- the asking side -----------------------------------------------------------------------------------------

    def _match(self, transaction_id: bytes, answer: Answer, source: Endpoint) -> None:
        address = (source.host, source.port)
        if not self._outstanding.match(transaction_id, answer, address):
            self.dropped += 1
            return
        self.on_observed(source, answer.observed)
        if not isinstance(answer, Stored | Dialed):
            self._tokens.keep(address, answer.token, asyncio.get_running_loop().time())

    def token(self, contact: Contact) -> bytes:
        """Return the token that a contact gave us lately, or nothing."""
        return self._tokens.of(contact.address, asyncio.get_running_loop().time())

    async def request(
        self, endpoint: Endpoint, request: AnyRequest, *expects: type, repeat_after: float | None = None
    ) -> Answer | None:
        """Send a request as `Outstanding.answer` does; return the answer, None when none came in time."""
        if self._outstanding.is_full:
            return None

        def send(transaction_id: bytes) -> bool:
            self.on_write(endpoint)
            return self._send(encode_request(transaction_id, request), endpoint)

        address = (endpoint.host, endpoint.port)
        answered = await self._outstanding.answer(address, expects, send, repeat_after)
        if answered is None:
            return None
        transaction_id, answer = answered
        if isinstance(answer, Pong) and not is_authentic(answer, transaction_id, self.key.node_id):
            return None
        return answer

    async def _insist(
        self, endpoint: Endpoint, request: AnyRequest, *expects: type, is_known: bool = False
    ) -> Answer | None:
        """Send a request, again and again where nobody else makes up for a loss: when few are in the table.

        Only to those in the table, or to who ``is_known`` to be there: a datagram may bear a forged address.
        """
        insists = self.knows_few and (is_known or any(each.endpoint == endpoint for each in self.router))
        patience = self.round_trips.soft_timeout((endpoint.host, endpoint.port)) if insists else None
        return await self.request(endpoint, request, *expects, repeat_after=patience)

    async def find_node(self, contact: Contact, target: NodeId) -> Nodes | None:
        """Ask a contact for the contacts it knows near ``target``."""
        request = FindNode(self.key.node_id, self.is_client_to(contact.endpoint), target, self.token(contact))
        answer = await self._ask(contact, request, Nodes)
        return answer if isinstance(answer, Nodes) else None

    async def find_value(
        self, contact: Contact, target: NodeId, skip: int = 0, prefer: bytes = b""
    ) -> Nodes | Values | None:
        """Ask a contact for the values under ``target``; that of the node key with the hint ``prefer`` first."""
        client = self.is_client_to(contact.endpoint)
        request = FindValue(self.key.node_id, client, target, self.token(contact), skip, prefer)
        answer = await self._ask(contact, request, Nodes, Values)
        return answer if isinstance(answer, Nodes | Values) else None

    async def store(
        self, contact: Contact, target: NodeId, kind: int, value: bytes, age: int = 0
    ) -> Stored | None:
        """Ask a contact to keep a value. Needs its token from an earlier answer: without one, asks for it first."""
        token = self.token(contact)
        if not token:
            await self.ping(contact.endpoint)
            token = self.token(contact)
            if not token:
                return None
        client = self.is_client_to(contact.endpoint)
        request = Store(self.key.node_id, client, target, token, kind, value, age)
        answer = await self._ask(contact, request, Stored)
        return answer if isinstance(answer, Stored) else None

    async def ping(self, endpoint: Endpoint, *, is_known: bool = False) -> Contact | None:
        """Let the node at ``endpoint`` prove its id; a proven one is taken into the table. None without proof."""
        ping = Ping(self.key.node_id, self.is_client_to(endpoint))
        answer = await self._insist(endpoint, ping, Pong, is_known=is_known)
        if not isinstance(answer, Pong) or not answer.public_key:
            return None
        contact = Contact(node_id_of(answer.public_key), endpoint)
        if contact.id != self.key.node_id:
            self._proofs.add(contact, asyncio.get_running_loop().time())
            self._seen(contact)
            self._take_in(contact)
        return contact

    async def is_there(self, contact: Contact) -> bool:
        """Ask whether a contact still answers; who has proved its id lately need not prove it again."""
        if not self._is_proven(contact):
            return await self.ping(contact.endpoint) == contact
        ping = Ping(self.key.node_id, self.is_client_to(contact.endpoint), prove=False)
        answer = await self._insist(contact.endpoint, ping, Pong)
        if answer is not None:
            self._seen(contact)
        return answer is not None

    async def _ask(self, contact: Contact, request: AnyRequest, *expects: type) -> Answer | None:
        """Send a request; the answer counts only from a node that has proved the id it goes by."""
        if self._is_proven(contact):
            answer = await self._insist(contact.endpoint, request, *expects)
        else:
            async with asyncio.TaskGroup() as group:
                asking = group.create_task(self._insist(contact.endpoint, request, *expects))
                proving = group.create_task(self.ping(contact.endpoint))
            answer = asking.result() if proving.result() == contact else None
        if answer is None:
            self._missed(contact)
        else:
            self._seen(contact)
            self.prove_later(contact, is_known=True)
        return without_the_near(answer, contact.endpoint) if isinstance(answer, Nodes | Values) else answer

    def _is_proven(self, contact: Contact) -> bool:
        return self._proofs.holds(contact, asyncio.get_running_loop().time())

    # -- the table -----------------------------------------------------------------------------------------------

    def _seen(self, contact: Contact) -> None:
        if self.router.find(contact.id) == contact:
            self._strikes.pop(contact.id, None)
            self._is_there_now(contact)

    def _is_there_now(self, contact: Contact) -> None:
        self.last_seen.pop(contact.id, None)
        self.last_seen[contact.id] = asyncio.get_running_loop().time()

    def _missed(self, contact: Contact) -> None:
        """Drop a contact from the table when it has missed twice in a row."""
        if self.router.find(contact.id) != contact:
            return
        self._strikes[contact.id] = self._strikes.get(contact.id, 0) + 1
        if self._strikes[contact.id] >= STRIKES:
            self.drop(contact)

    async def check_oldest(self) -> bool:
        """Ask the contact unseen longest whether it is there; it is dropped when it misses twice. True if it is."""
        oldest = next((contact for node_id in self.last_seen if (contact := self.router.find(node_id))), None)
        if oldest is None:
            return False
        for _ in range(STRIKES):
            if await self.is_there(oldest):
                return True
        if self.router.find(oldest.id) == oldest:
            self.drop(oldest)
        return False

    def drop(self, contact: Contact) -> None:
        """Take a contact out of the table."""
        self._strikes.pop(contact.id, None)
        self.last_seen.pop(contact.id, None)
        promoted = self.router.remove(contact)
        if promoted is not None:  # it waited for a place, perhaps for too long
            self.last_seen = {promoted.id: 0.0, **self.last_seen}
            self.check_later(promoted)
        self.on_lost(contact)

    def prove_later(self, contact: Contact, *, is_known: bool) -> None:
        """Ask a node that the table has room for, or that has moved, to prove its id; ``is_known``: see `_insist`."""
        if self.router.wants(contact) or self._has_moved(contact):
            self._begin_proof(contact, self._prove(contact.endpoint, is_known=is_known))

    def check_later(self, contact: Contact) -> None:
        """Ask a contact that took too long whether it is still there; else it leaves the table."""
        if contact.id in self.router:
            self._begin_proof(contact, self._check(contact))

    def _begin_proof(self, contact: Contact, job: Coroutine[Any, Any, None]) -> None:
        """Run it in the background; few at once, so that a flood of strangers costs little."""
        if self.spawn is None or contact.address in self._proving or len(self._proving) >= MAX_PROVING:
            job.close()
            return
        self._proving.add(contact.address)
        self.spawn(job)

    async def _prove(self, endpoint: Endpoint, *, is_known: bool) -> None:
        try:
            await self.ping(endpoint, is_known=is_known)
        finally:
            self._proving.discard((endpoint.host, endpoint.port))

    async def _check(self, contact: Contact) -> None:
        try:
            if await self.ping(contact.endpoint) != contact:
                self._missed(contact)
                self._missed(contact)
        finally:
            self._proving.discard(contact.address)

    def _has_moved(self, contact: Contact) -> bool:
        """Tell whether a known node now speaks from elsewhere: the last place that it proved counts."""
        known = self.router.find(contact.id)
        return (
            known is not None
            and known.endpoint != contact.endpoint
            and known.endpoint.is_v6 == contact.endpoint.is_v6
        )

    def _take_in(self, contact: Contact) -> None:
        known = self.router.find(contact.id)
        if known == contact or (known is not None and not self._has_moved(contact)):
            return
        if self.router.add(contact):
            self._is_there_now(contact)
            if known is None:
                self.on_contact(contact)

    def welcome_if_new(self, node: Contact) -> None:
        """Do nothing: a node is taken in when it has proved its id (the base class hands over keys here, for ever)."""

    def handle_call_response(self, result: Any, _node: Contact) -> Any:
        """Do nothing: answers are matched in `_match`."""
        return result


@lru_cache(4096)
def _endpoint(host: str, port: int) -> Endpoint:
    return Endpoint(host.partition("%")[0], port)
