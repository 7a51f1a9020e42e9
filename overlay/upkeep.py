"""The upkeep of a node's place: contacts are checked, buckets refreshed, former contacts tried, values renewed."""

import asyncio
import logging

from .dht import MeshProtocol
from .jobs import Jobs
from .lookups import LookupRunner
from .peers import RememberedPeers
from .protocol.contact import Contact
from .protocol.endpoint import Endpoint
from .protocol.pace import Pace
from .publisher import Publisher

logger = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 3.0
EXPLORE_PAUSE_SECONDS = 2.0
REFRESH_SECONDS = 1800.0
FORMER_SECONDS = 30.0
"""Short enough that all have tried, and handed over what is newer, within a minute after a split has healed."""
FORMER_TRIED = 4
FORMER_TRIED_AFTER_SUCCESS = 20
REPUBLISH_CHECK_SECONDS = 30.0


class Upkeep:
    """Background jobs of a node that has contacts; while it has none, they wait."""

    def __init__(
        self,
        protocol: MeshProtocol,
        lookups: LookupRunner,
        publisher: Publisher,
        jobs: Jobs,
        peers: RememberedPeers,
    ) -> None:
        self._protocol = protocol
        self._router = protocol.router
        self._lookups = lookups
        self._publisher = publisher
        self._jobs = jobs
        self._peers = peers
        self._pace = Pace()
        self._remembered = 0.0

    def begin(self) -> None:
        """Start the jobs."""
        self._remembered = asyncio.get_running_loop().time()
        for job in (self._check_contacts(), self._refresh(), self._try_former(), self._republish()):
            self._jobs.start(job)

    def remember(self) -> None:
        """Write down who is there, those heard last first."""
        seen = self._protocol.last_seen
        contacts = sorted(self._router, key=lambda c: -seen.get(c.id, 0.0))
        now = asyncio.get_running_loop().time()
        self._peers.save((contact.endpoint for contact in contacts), now - self._remembered)
        self._remembered = now

    async def explore(self) -> None:
        """After joining: look again for those who joined beside us, and where we know nearly nobody (paper, 2.3)."""
        await self._pause(LOOK_AGAIN_SECONDS)
        await self._lookups.nodes(self._protocol.key.node_id)
        for target in self._router.thin_places(self._protocol.dice):
            await self._lookups.look_around(target)
            await self._pause(EXPLORE_PAUSE_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Sleep about so long: nodes started together do not do everything together."""
        await asyncio.sleep(seconds * self._protocol.dice.uniform(0.8, 1.2))

    async def _check_contacts(self) -> None:
        """Ask the contact unseen longest whether it is there: the most doubtful one, and the table's best knowledge."""
        while True:
            await self._pause(self._pace.seconds(len(self._router)))
            if await self._protocol.check_oldest():
                self._pace.alive()
            elif len(self._router):
                self._pace.dead()
            self._protocol.store_of_records.expire(asyncio.get_running_loop().time())

    async def _refresh(self) -> None:
        """Look around: the own neighbourhood, and one other place, so that no bucket grows old (paper section 2.3)."""
        while True:
            await self._pause(REFRESH_SECONDS)
            self.remember()
            await self._lookups.nodes(self._protocol.key.node_id)
            for target in self._router.some_place(self._protocol.dice):
                await self._lookups.look_around(target)

    async def _try_former(self) -> None:
        """Try a few of those met before who are not in the table: after a split, the halves find each other again.

        Who answers tells that a gap has closed: many more are tried, and over there our neighbourhood is looked up and
        what we publish is published.
        """
        while True:
            await self._pause(FORMER_SECONDS)
            self.remember()
            if await self._try(FORMER_TRIED):
                await self._try(FORMER_TRIED_AFTER_SUCCESS)
                await self._lookups.nodes(self._protocol.key.node_id)
                await self._publisher.republish()

    async def _try(self, most: int) -> bool:
        """Ping some former contacts; return whether any of them is there again, and in the table."""
        present = {contact.endpoint for contact in self._router}
        former = [endpoint for endpoint in self._peers.load() if endpoint not in present]
        back: list[Contact] = []

        async def ping(endpoint: Endpoint) -> None:
            contact = await self._protocol.ping(endpoint)
            if contact is not None and contact.id in self._router:
                back.append(contact)

        async with asyncio.TaskGroup() as group:
            for endpoint in self._protocol.dice.sample(former, min(most, len(former))):
                group.create_task(ping(endpoint))
        return bool(back)

    async def _republish(self) -> None:
        """Renew what this node publishes, the oftener the more nodes leave."""
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while True:
            await self._pause(REPUBLISH_CHECK_SECONDS)
            if loop.time() - renewed >= self._pace.republish_seconds:
                renewed = loop.time()
                await self._publisher.republish()
