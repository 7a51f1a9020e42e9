"""The overlay as its owner sees it: join, publish, resolve."""

import asyncio
import logging
import random
from collections.abc import Callable, Coroutine
from collections.abc import Sequence as Several
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .addresses import reachable_endpoints
from .dht import MeshServer
from .errors import Isolated, OverlayError, WireError
from .events import Joined, Lonely, OverlayEvent, Republished
from .identity import NodeKey
from .lan import LanDiscovery
from .lookups import Found, LookupRunner
from .peers import RememberedPeers
from .ports import Store
from .protocol.claim import Claim, claim_target, seal, unseal
from .protocol.contact import Contact
from .protocol.endpoint import Endpoint
from .protocol.nodeid import NodeId, node_id_of
from .protocol.record import (
    MAX_VALUE_BYTES,
    Kind,
    NodeRecord,
    blob_key,
    node_record,
    pack_endpoints,
)
from .publisher import Publication, Publisher
from .sequence import Sequence

logger = logging.getLogger(__name__)

K, ALPHA = 16, 4
RESOLVE_SECONDS = 5.0
JOIN_SECONDS = 3.0
WITHDRAW_SECONDS = 1.0
SAVE_AT_ONCE = 20
UPKEEP_SECONDS = 20.0
REPUBLISH_SECONDS = 900.0
REFRESH_SECONDS = 600.0
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)


@dataclass(frozen=True)
class FoundClaim:
    """A claim under a name: what it says, which node key signed it (``node_public_key``), how many holders gave it."""

    claim: Claim
    seq: int
    node_public_key: bytes
    copies: int


@dataclass(frozen=True)
class Resolution:
    """What the mesh says about a name, with the price: nodes asked and milliseconds."""

    claims: tuple[FoundClaim, ...]
    asked: int
    elapsed_ms: float


class Overlay:
    """A node of the DHT. An async context manager: leaving it withdraws what was published and closes all sockets."""

    def __init__(
        self,
        key: NodeKey,
        *,
        listen: Several[Endpoint],
        bootstrap: Several[Endpoint] = (),
        peers: Store | None = None,
        sequence: Store | None = None,
        lan: bool = False,
        client: bool = False,
        on_event: Callable[[OverlayEvent], None] = lambda _event: None,
        k: int = K,
        alpha: int = ALPHA,
    ) -> None:
        self._key = key
        self._listen = listen
        self._bootstrap = tuple(bootstrap)
        self._peers = RememberedPeers(peers)
        self._lan = lan
        self._client = client
        self._on_event = on_event
        self._server = MeshServer(key, ksize=k, alpha=alpha, client=client)
        self._protocol = self._server.protocol
        self._lookups = LookupRunner(self._protocol, k=k, alpha=alpha)
        self._publisher = Publisher(self._protocol, self._lookups, Sequence(sequence), k=k)
        self._group = asyncio.TaskGroup()
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()
        self._met = asyncio.Event()
        self._alone = True
        self.addresses: tuple[Endpoint, ...] = ()

    @property
    def contacts(self) -> int:
        """How many proven contacts are in the table."""
        return len(self._protocol.router)

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        try:
            self._protocol.spawn = self._spawn
            self._protocol.on_contact = self._met_contact
            self._protocol.on_lost = self._lost_contact
            self.addresses = await self._server.listen_on(self._listen)
            if not self._client:
                self._spawn(self._upkeep())
                self._spawn(self._republish())
        except BaseException:
            self._server.stop()
            for task in self._tasks:
                task.cancel()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if not self._client and self.contacts:
                self._remember()
                try:
                    async with asyncio.timeout(WITHDRAW_SECONDS):
                        await self._publisher.withdraw()
                except TimeoutError:
                    logger.debug("not all records could be withdrawn in time")
        finally:
            await self._stack.aclose()
            self._protocol.spawn = None
            for task in self._tasks:
                task.cancel()
            self._server.stop()
            await self._group.__aexit__(None, None, None)

    # -- joining -------------------------------------------------------------------------------------------------

    async def join(self) -> int:
        """Look for other nodes: bootstrap addresses, remembered peers, the LAN; return how many contacts are known.

        Returns as soon as the first has answered and the own neighbourhood was looked up, or after 3 s without
        anybody. The search goes on in the background all the time.
        """
        remembered = self._peers.load()
        if self._lan and not self._client:
            self._spawn(self._discover())
        for endpoint in [*self._bootstrap, *remembered]:
            self._spawn(self._try(endpoint))
        if self._lan or self._bootstrap or remembered:
            try:
                async with asyncio.timeout(JOIN_SECONDS):
                    await self._met.wait()
            except TimeoutError:
                pass
        if self.contacts:
            await self._lookups.nodes(self._key.node_id)
        return self.contacts

    async def _discover(self) -> None:
        try:
            own = reachable_endpoints(self.addresses)
            await self._stack.enter_async_context(LanDiscovery(self._key.node_id, own, self._found_on_lan))
        except OSError as error:
            logger.warning("the LAN cannot be searched: %s", error)

    def _found_on_lan(self, endpoint: Endpoint) -> None:
        self._spawn(self._try(endpoint))

    async def _try(self, endpoint: Endpoint) -> None:
        if endpoint.port and endpoint not in self.addresses:
            await self._protocol.ping(endpoint)

    def _met_contact(self, contact: Contact) -> None:
        self._met.set()
        if self._client:
            return
        self._spawn(self._hand_over(contact))
        if self.contacts <= SAVE_AT_ONCE:
            self._remember()  # the first ones at once: the power may fail
        if self._alone:
            self._alone = False
            self._spawn(self._settle_in())

    async def _settle_in(self) -> None:
        """After a time alone: look around, tell the owner, and publish where others can find it."""
        await self._lookups.nodes(self._key.node_id)
        self._on_event(Joined(self.contacts))
        copies = await self._publisher.republish()
        if copies:
            self._on_event(Republished(copies))

    def _lost_contact(self, _contact: Contact) -> None:
        if not self._client and not self.contacts and not self._alone:
            self._alone = True
            self._met.clear()
            self._on_event(Lonely())

    async def _hand_over(self, newcomer: Contact) -> None:
        for held in self._publisher.hand_over(newcomer):
            await self._protocol.store(newcomer, NodeId(held.target), int(held.kind), held.raw)

    # -- upkeep --------------------------------------------------------------------------------------------------

    async def _upkeep(self) -> None:
        """Ping the contact unseen longest; look around now and then; while alone, keep trying who was known."""
        loop = asyncio.get_running_loop()
        refreshed, attempt = loop.time(), 0
        while True:
            if self.contacts:
                attempt = 0
                await asyncio.sleep(UPKEEP_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load, no secret
                await self._ping_oldest()
                self._remember()
                self._protocol.store_of_records.expire(loop.time())
                if loop.time() - refreshed > REFRESH_SECONDS:
                    refreshed = loop.time()
                    await self._lookups.nodes(self._key.node_id)
                    await self._lookups.nodes(NodeId(random.randbytes(20)))  # noqa: S311 - any place will do
            else:
                await asyncio.sleep(RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)])
                attempt += 1
                for endpoint in [*self._bootstrap, *self._peers.load()]:
                    self._spawn(self._try(endpoint))

    async def _ping_oldest(self) -> None:
        oldest = min(
            self._protocol.router, key=lambda c: self._protocol.last_seen.get(c.id, 0.0), default=None
        )
        if oldest is None or await self._protocol.ping(oldest.endpoint) is not None:
            return
        if await self._protocol.ping(oldest.endpoint) is None:
            self._protocol.drop(oldest)

    async def _republish(self) -> None:
        while True:
            await asyncio.sleep(REPUBLISH_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
            await self._publisher.republish()

    def _remember(self) -> None:
        seen = self._protocol.last_seen
        contacts = sorted(self._protocol.router, key=lambda c: -seen.get(c.id, 0.0))
        self._peers.save(contact.endpoint for contact in contacts)

    def _spawn(self, job: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(job)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- values --------------------------------------------------------------------------------------------------

    async def resolve(self, uri: str) -> Resolution:
        """Return every claim under the canonical ``uri``.

        Raises:
            Isolated: no other node is known, and we hold no claim ourselves.
        """
        started = asyncio.get_running_loop().time()
        found = await self._values(claim_target(uri), Kind.CLAIM, all_of_them=True)
        claims = []
        for slot, record in found.records.items():
            if record.is_withdrawn:
                continue
            try:
                claim = unseal(uri, record.payload)
            except WireError:
                continue  # not sealed for this name: noise under a guessed key
            claims.append(FoundClaim(claim, record.seq, record.public_key, found.copies[slot]))
        elapsed = (asyncio.get_running_loop().time() - started) * 1000
        return Resolution(tuple(claims), found.asked, elapsed)

    async def resolve_node(self, node_public_key: bytes) -> NodeRecord | None:
        """Return where a node can be reached now, None when it has not said so or took it back."""
        try:
            found = await self._values(node_id_of(node_public_key), Kind.NODE, all_of_them=False)
        except Isolated:
            return None
        for record in found.records.values():
            if record.public_key == node_public_key and not record.is_withdrawn:
                return node_record(record)
        return None

    async def fetch_blob(self, key: bytes) -> bytes | None:
        """Return the blob of that hash, None when nobody has it."""
        try:
            return (await self._values(NodeId(key), Kind.BLOB, all_of_them=False)).blob
        except Isolated:
            return None

    async def publish_claim(self, uri: str, claim: Claim) -> int:
        """Publish a claim and keep it published; return how many nodes hold it, ourselves included."""
        publication = Publication(Kind.CLAIM, claim_target(uri), lambda seq: seal(uri, claim, seq))
        return await self._publisher.publish(publication)

    async def publish_node(self, endpoints: Several[Endpoint]) -> int:
        """Publish where this node can be reached, and keep it published; return how many nodes hold it."""
        payload = pack_endpoints(tuple(endpoints))
        return await self._publisher.publish(Publication(Kind.NODE, self._key.node_id, lambda _seq: payload))

    async def publish_blob(self, data: bytes) -> bytes:
        """Publish a blob and keep it published; return its key.

        Raises:
            ValueError: empty, or larger than 1,000 bytes.
        """
        if not 0 < len(data) <= MAX_VALUE_BYTES:
            raise ValueError(f"a blob of {len(data)} bytes; {MAX_VALUE_BYTES} are allowed")
        key = blob_key(data)
        await self._publisher.publish(Publication(Kind.BLOB, key, lambda _seq: data))
        return key

    async def _values(self, target: NodeId, kind: Kind, *, all_of_them: bool) -> Found:
        now = asyncio.get_running_loop().time()
        own = tuple(self._protocol.store_of_records.get(target, now))
        if not self.contacts and not own:
            raise Isolated("no other node is known")
        local = Found()
        if local.take(target, kind, own) and not all_of_them:
            return local
        if not self.contacts:
            return local
        found = await self._lookups.values(target, kind, all_of_them=all_of_them, deadline=RESOLVE_SECONDS)
        found.take(target, kind, own)
        return found


__all__ = ["FoundClaim", "Isolated", "NodeRecord", "Overlay", "OverlayError", "Resolution"]
