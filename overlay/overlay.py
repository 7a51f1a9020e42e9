"""The overlay as its owner sees it: join, publish, resolve."""

import asyncio
import logging
import random
from collections.abc import Callable
from collections.abc import Sequence as Several
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from .addresses import reachable_endpoints
from .errors import Isolated, OverlayError, WireError
from .events import OverlayEvent, ReachabilityChanged
from .identity import NodeKey
from .jobs import Jobs
from .lookups import LOOKUP_SECONDS, Found, LookupRunner
from .membership import Membership
from .peers import RememberedPeers
from .ports import Store
from .protocol.claim import Claim, claim_target, seal, unseal
from .protocol.endpoint import Endpoint
from .protocol.network import PUBLIC, Network
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
from .reachability import ReachabilityCheck
from .sequence import Sequence
from .server import MeshServer
from .udp import OpenSocket, open_udp_socket
from .wakefulness import seconds_since_boot, watch

logger = logging.getLogger(__name__)

K = 16
WITHDRAW_SECONDS = 1.0


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
    """A node of the DHT.

    An async context manager: entering it opens the sockets, leaving it withdraws what was published (within a second)
    and closes them. ``peers`` and ``sequence`` keep state over restarts. ``lan`` looks for nodes by DNS-SD. A
    ``client`` asks, but is in nobody's table and stores nothing. ``on_event`` must return at once. ``network`` is the
    mesh to take part in. A simulation passes its own ``open_socket``, ``dice`` and ``boot_clock``; all other time is
    the loop's.
    """

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
        network: Network = PUBLIC,
        open_socket: OpenSocket = open_udp_socket,
        dice: random.Random | None = None,
        boot_clock: Callable[[], float] | None = None,
        k: int = K,
    ) -> None:
        self.addresses: tuple[Endpoint, ...] = ()
        self._key = key
        self._listen = tuple(listen)
        self._lan = lan
        self._client = client
        self._on_event = on_event
        self._boot_clock = boot_clock
        self._jobs = Jobs()
        self._server = MeshServer(
            key,
            ksize=k,
            client=client,
            network=network,
            open_socket=open_socket,
            dice=dice or random.SystemRandom(),
        )
        self._protocol = self._server.protocol
        self._protocol.spawn = self._jobs.start
        self._lookups = LookupRunner(self._protocol, k=k)
        self._publisher = Publisher(self._protocol, self._lookups, Sequence(sequence), self._jobs, k=k)
        self._reachability = ReachabilityCheck(
            self._protocol, self._jobs, self._own_hosts, self._reachability_changed
        )
        self._membership = Membership(
            self._protocol,
            self._lookups,
            self._publisher,
            self._jobs,
            RememberedPeers(peers),
            bootstrap,
            on_event,
            self._reachability.check_first,
        )

    @property
    def contacts(self) -> int:
        """How many proven contacts are in the table."""
        return len(self._protocol.router)

    async def __aenter__(self) -> Self:
        try:
            self.addresses = await self._server.listen_on(self._listen)
        except BaseException:
            self._server.stop()
            raise
        await self._jobs.__aenter__()
        self._membership.begin(self.addresses)
        if not self._client:
            self._jobs.start(self._reachability.run())
            self._jobs.start(watch(self._boot_clock or seconds_since_boot, self._membership.wake_up))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._jobs.cancel()
        try:
            if not self._client and self.contacts:
                self._membership.remember()
                await self._withdraw()
        finally:
            self._server.stop()
            await self._jobs.__aexit__(kind, error, trace)

    def _own_hosts(self) -> list[str]:
        return [endpoint.host for endpoint in reachable_endpoints(self.addresses)]

    def _reachability_changed(self) -> None:
        self._on_event(ReachabilityChanged(self.is_reachable, str(self.seen_as or "")))

    @property
    def is_reachable(self) -> bool:
        """False when others cannot reach this node: it takes part as a client."""
        return self._reachability.is_reachable

    @property
    def seen_as(self) -> Endpoint | None:
        """Where others see this node, if they agree."""
        return self._reachability.seen_as

    async def _withdraw(self) -> None:
        try:
            async with asyncio.timeout(WITHDRAW_SECONDS):
                await self._publisher.withdraw()
        except TimeoutError:
            logger.debug("not all records could be withdrawn in time")

    async def join(self) -> int:
        """Look for other nodes: bootstrap addresses, remembered peers, the LAN; return how many contacts are known.

        Returns as soon as the first has answered and the own neighbourhood was looked up, or after 3 s without
        anybody. The search goes on in the background all the time.
        """
        return await self._membership.join(lan=self._lan)

    def meet(self, network: Network, endpoints: Several[Endpoint]) -> bool:
        """Try these addresses now, and whenever this node is alone; False when they are of another network."""
        if network != self._protocol.network:
            return False
        self._membership.meet(endpoints)
        return True

    # -- values --------------------------------------------------------------------------------------------------

    async def resolve(self, uri: str, node_public_key: bytes = b"") -> Resolution:
        """Return every claim under the canonical ``uri``.

        With ``node_public_key``, the node that spoke for a known contact before: return as soon as a claim signed by it
        is found, which is with the first answer, however many others claim the name.

        Raises:
            Isolated: no other node is known or none answers, and we hold no claim ourselves.
        """
        started = asyncio.get_running_loop().time()
        found = await self._values(claim_target(uri), Kind.CLAIM, node_public_key)
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
            found = await self._values(node_id_of(node_public_key), Kind.NODE)
        except Isolated:
            return None
        record = found.records.get((Kind.NODE, node_public_key))
        if record is None or record.is_withdrawn:
            return None
        try:
            return node_record(record)
        except WireError:
            return None  # its owner signed nonsense, or a later version of the protocol

    async def fetch_blob(self, key: bytes) -> bytes | None:
        """Return the blob of that hash, None when nobody has it."""
        try:
            return (await self._values(NodeId(key), Kind.BLOB)).blob
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

    async def _values(self, target: NodeId, kind: Kind, public_key: bytes = b"") -> Found:
        """Ask the others, again when nobody answers; what we hold ourselves counts as one more holder."""
        if self._membership.is_cut_off:
            raise Isolated("no other node finds this one")
        loop, was_asked = asyncio.get_running_loop(), False
        end = loop.time() + LOOKUP_SECONDS
        while (seconds := end - loop.time()) > 0:
            own = tuple(self._protocol.store_of_records.get(target, loop.time()))
            found = await self._lookups.values(target, kind, own, public_key, seconds)
            if found.holders or found.answered:
                return found
            was_asked = was_asked or found.asked > 0
            if not await self._membership.find_somebody(end - loop.time()):
                break
        raise Isolated("no other node answers" if was_asked else "no other node is known")


__all__ = ["FoundClaim", "Isolated", "NodeRecord", "Overlay", "OverlayError", "Resolution"]
