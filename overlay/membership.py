"""A node's place among the others: finding them, staying in touch, noticing that it is alone."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from .addresses import reachable_endpoints
from .dht import MeshProtocol
from .events import CutOff, Joined, Lonely, OverlayEvent
from .jobs import Jobs
from .lan import LanDiscovery
from .lookups import LOOKUP_SECONDS, LookupRunner
from .peers import RememberedPeers
from .protocol.contact import Contact
from .protocol.endpoint import Endpoint
from .protocol.nodeid import NodeId
from .publisher import Publisher
from .self_check import SelfCheck
from .upkeep import Upkeep

logger = logging.getLogger(__name__)

JOIN_SECONDS = 3.0
SETTLE_SECONDS = 1.0 + LOOKUP_SECONDS
SAVE_AT_ONCE = 20
MAX_BOOTSTRAP = 400
HAND_OVER_TURN = 50
RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
SHORT_PAUSES = 3


class Membership:
    """Finds contacts and keeps them. A client finds them only: it is in nobody's table and owes nobody upkeep."""

    def __init__(
        self,
        protocol: MeshProtocol,
        lookups: LookupRunner,
        publisher: Publisher,
        jobs: Jobs,
        peers: RememberedPeers,
        bootstrap: Sequence[Endpoint],
        on_event: Callable[[OverlayEvent], None],
        on_first_contact: Callable[[], Awaitable[None]],
    ) -> None:
        self._protocol = protocol
        self._router = protocol.router
        self._lookups = lookups
        self._publisher = publisher
        self._jobs = jobs
        self._peers = peers
        self._bootstrap = tuple(bootstrap)
        self._on_event = on_event
        self._on_first_contact = on_first_contact
        self._met = asyncio.Event()
        self._settled = asyncio.Event()
        self._lost = asyncio.Event()
        self._needed = asyncio.Event()
        self._alone = True
        self._told_cut_off = False
        self._upkeep = Upkeep(protocol, lookups, publisher, jobs, peers)
        self._self_check = SelfCheck(
            protocol, lookups, publisher, on_cut_off=self._rejoin, on_found=self._found_again
        )
        self._addresses: tuple[Endpoint, ...] = ()
        self._searches_lan = False
        protocol.on_contact = self._met_contact
        protocol.on_lost = self._lost_contact

    def begin(self, addresses: Sequence[Endpoint]) -> None:
        """Begin the upkeep of a node that listens at ``addresses``."""
        self._addresses = tuple(addresses)
        if not self._protocol.client:
            self._jobs.start(self._search())
            self._jobs.start(self._self_check.run())
            self._upkeep.begin()

    async def join(self, *, lan: bool) -> int:
        """See `Overlay.join`."""
        if lan and not self._searches_lan and not self._protocol.client:
            self._searches_lan = True
            own = self._addresses
            discovery = LanDiscovery(
                self._protocol.key.node_id,
                self._protocol.network,
                lambda: reachable_endpoints(own),
                self._found_on_lan,
            )
            self._jobs.start(discovery.run())
        known = self._try_all()
        if (lan or known) and not len(self._router):
            try:
                async with asyncio.timeout(JOIN_SECONDS):
                    await self._met_or_tried_again()
            except TimeoutError:
                logger.debug("nobody has answered yet")
        if len(self._router):
            await self._look_around()
        return len(self._router)

    async def _look_around(self) -> None:
        """Look up the own neighbourhood, or wait until that is done which began with the first contact."""
        if self._protocol.client or self._settled.is_set():
            await self._lookups.nodes(self._protocol.key.node_id)
            return
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                await self._settled.wait()
        except TimeoutError:
            logger.debug("the neighbourhood answers slowly")

    async def _met_or_tried_again(self) -> None:
        """Wait for the first contact; a client, which has no upkeep, tries again by itself."""
        for pause in RETRY_SECONDS:
            try:
                async with asyncio.timeout(pause):
                    await self._met.wait()
                    return
            except TimeoutError:
                if self._protocol.client:
                    self._try_all()

    def meet(self, endpoints: Iterable[Endpoint]) -> None:
        """See `Overlay.meet`."""
        fresh = tuple(dict.fromkeys(endpoints))[:MAX_BOOTSTRAP]
        self._bootstrap = tuple(dict.fromkeys([*fresh, *self._bootstrap]))[:MAX_BOOTSTRAP]
        for endpoint in fresh:
            self._jobs.start(self._try(endpoint))

    async def find_somebody(self, seconds: float) -> bool:
        """Wait until somebody can be asked, so long at most; False at once when nobody is known who could be tried."""
        if len(self._router):
            return True
        if self._protocol.client or not (self._bootstrap or self._peers.load()):
            return False
        self._needed.set()
        try:
            async with asyncio.timeout(seconds):
                return await self._met.wait()
        except TimeoutError:
            return False

    def remember(self) -> None:
        """Write down who is there."""
        self._upkeep.remember()

    @property
    def is_cut_off(self) -> bool:
        """True while others answer, but do not find us."""
        return self._self_check.is_cut_off

    # -- finding others ------------------------------------------------------------------------------------------

    def _try_all(self) -> int:
        known = dict.fromkeys([*self._bootstrap, *self._peers.load()])
        for endpoint in known:
            self._jobs.start(self._try(endpoint))
        return len(known)

    def _found_on_lan(self, endpoint: Endpoint) -> None:
        self._jobs.start(self._try(endpoint))

    async def _try(self, endpoint: Endpoint) -> None:
        if endpoint.port and endpoint not in self._addresses:
            await self._protocol.ping(endpoint)

    def _met_contact(self, contact: Contact) -> None:
        self._met.set()
        if self._protocol.client:
            return
        self._jobs.start(self._hand_over(contact))
        if len(self._router) <= SAVE_AT_ONCE:
            self.remember()  # the first ones at once: the power may fail
        if self._alone:
            self._alone = False
            self._jobs.start(self._settle_in())

    async def _settle_in(self) -> None:
        """After a time alone: look around, tell the owner, and publish where others can find it."""
        await self._on_first_contact()
        await self._lookups.nodes(self._protocol.key.node_id)
        self._settled.set()
        self._on_event(Joined(len(self._router)))
        await self._publisher.republish(only_lonely=True)
        await self._upkeep.explore()

    def _lost_contact(self, _contact: Contact) -> None:
        if not self._protocol.client and not len(self._router) and not self._alone:
            self._alone = True
            self._met.clear()
            self._settled.clear()
            self._lost.set()
            self._publisher.forget_copies()
            self._on_event(Lonely())

    async def _hand_over(self, newcomer: Contact) -> None:
        """Give a newcomer what it should hold, in turns: with thousands of values others must not wait for it."""
        for number, held in enumerate(self._protocol.store_of_records.held()):
            if number % HAND_OVER_TURN == HAND_OVER_TURN - 1:
                await asyncio.sleep(0)
            age = held.age(asyncio.get_running_loop().time())
            if age < held.ttl and self._publisher.hand_over_to(newcomer, held):
                await self._protocol.store(newcomer, NodeId(held.target), int(held.kind), held.raw, age)

    # -- alone ---------------------------------------------------------------------------------------------------

    async def _search(self) -> None:
        """While alone, keep trying who was known; the pauses grow until somebody is needed."""
        attempt = 0
        while True:
            if len(self._router):
                attempt = 0
                await self._lost.wait()
                self._lost.clear()
                continue
            attempt = await self._pause(attempt)
            if not len(self._router):
                self._try_all()

    async def _pause(self, attempt: int) -> int:
        """Wait before an attempt, but not long when somebody is needed; return the number of the next attempt."""
        pause = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
        if attempt < SHORT_PAUSES:
            await asyncio.sleep(pause)
            return attempt + 1
        try:
            async with asyncio.timeout(pause):
                await self._needed.wait()
        except TimeoutError:
            return attempt + 1
        self._needed.clear()
        return 0

    async def _rejoin(self) -> None:
        """Nobody finds us although some answer: say so, and begin as if we had just been started."""
        if not self._told_cut_off:
            self._told_cut_off = True
            self._on_event(CutOff())
        self._try_all()
        await self._lookups.nodes(self._protocol.key.node_id)

    async def wake_up(self, slept_seconds: float) -> None:
        """After the machine has slept: what we hold has grown older, the others have gone on without us."""
        logger.info("the machine slept for %.0f s", slept_seconds)
        self._protocol.store_of_records.grow_older(slept_seconds)
        self._try_all()
        await self._lookups.nodes(self._protocol.key.node_id)
        await self._publisher.republish()

    def _found_again(self) -> None:
        self._told_cut_off = False
        self._on_event(Joined(len(self._router)))
