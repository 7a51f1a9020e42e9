"""Finds out whether others can reach this node, and helps others to find it out. The rules are in `protocol`."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

from .dht import MeshProtocol
from .jobs import Jobs
from .protocol.contact import Contact
from .protocol.endpoint import Endpoint, prefix
from .protocol.reachability import Reachability, Standing
from .protocol.request_budget import Bucket
from .protocol.wire import Dial, Dialed, Ping, Pong

logger = logging.getLogger(__name__)

FIRST_CHECKS_SECONDS = (1.0, 5.0, 20.0, 60.0)
CHECK_SECONDS = 600.0
CHECK_CLOSED_SECONDS = 120.0
DIAL_BACK_SECONDS = 6.0
HELPERS = 3
LEAST_CONTACTS = 20
WRITTEN_SECONDS = 300.0
MAX_WRITTEN_TO = 4096
DIALS_RATE, DIALS_BURST = 1.0, 10.0


class ReachabilityCheck:
    """Keeps `MeshProtocol.standing` true to what others can do. ``own_hosts`` tells our interfaces' addresses now.

    ``on_change`` hears of a new standing and of the endpoint that others see.
    """

    def __init__(
        self,
        protocol: MeshProtocol,
        jobs: Jobs,
        own_hosts: Callable[[], Sequence[str]],
        on_change: Callable[[Standing, Endpoint | None], None],
    ) -> None:
        self._protocol = protocol
        self._jobs = jobs
        self._own_hosts = own_hosts
        self._on_change = on_change
        self._reachability = Reachability()
        self._written_to: OrderedDict[str, float] = OrderedDict()
        self._dials = Bucket(DIALS_BURST, 0.0)
        self._reached = asyncio.Event()
        protocol.on_observed = self._observed
        protocol.on_dial = self._dial
        protocol.on_write = self._write
        protocol.on_request = self._requested

    @property
    def seen_as(self) -> Endpoint | None:
        """Where others see us."""
        return self._reachability.seen_as(self._own_hosts())

    async def run(self) -> None:
        """Ask for dial-backs now and then, for ever; soon after the start, and oftener while we are closed."""
        for seconds in FIRST_CHECKS_SECONDS:
            await asyncio.sleep(seconds * self._protocol.dice.uniform(0.8, 1.2))
            await self._check()
        while True:
            seconds = CHECK_CLOSED_SECONDS if self._protocol.standing is Standing.CLOSED else CHECK_SECONDS
            await asyncio.sleep(seconds * self._protocol.dice.uniform(0.8, 1.2))
            await self._check()

    async def _check(self) -> None:
        seen = self.seen_as
        if seen is None or prefix(seen.host) is None:
            return
        self._reached.clear()
        asked = 0
        for contact in self._helpers(apart_from=seen.host):
            answer = await self._ask_to_dial(contact, None)
            asked += answer.count if answer is not None else 0
        if (
            asked and len(self._protocol.router) >= LEAST_CONTACTS
        ):  # among fewer, we have written to everybody
            try:
                async with asyncio.timeout(DIAL_BACK_SECONDS):
                    await self._reached.wait()
            except TimeoutError:
                self._reachability.asked_in_vain()
        self._judge()

    def _helpers(self, apart_from: str) -> list[Contact]:
        """Return some contacts, each from another network."""
        chosen: dict[bytes, Contact] = {}
        contacts = list(self._protocol.router)
        for contact in self._protocol.dice.sample(contacts, len(contacts)):
            network = prefix(contact.endpoint.host)
            if network is not None and network != prefix(apart_from):
                chosen.setdefault(network, contact)
            if len(chosen) == HELPERS:
                break
        return list(chosen.values())

    async def _ask_to_dial(self, contact: Contact, endpoint: Endpoint | None) -> Dialed | None:
        token = self._protocol.token(contact)
        if not token:
            return None
        key = self._protocol.key
        request = Dial(key.node_id, self._protocol.is_client, token, endpoint)
        answer = await self._protocol.request(contact.endpoint, request, Dialed)
        return answer if isinstance(answer, Dialed) else None

    def _judge(self) -> None:
        own = self._own_hosts()
        standing = self._reachability.standing(own, asyncio.get_running_loop().time())
        was_closed = self._protocol.standing is Standing.CLOSED
        self._protocol.standing = standing
        if was_closed != (standing is Standing.CLOSED):
            self._on_change(standing, self._reachability.seen_as(own))

    # -- what the protocol reports -------------------------------------------------------------------------------

    def _observed(self, observer: Endpoint, endpoint: Endpoint) -> None:
        if self._reachability.observe(observer.host, endpoint):
            self._judge()

    def _write(self, endpoint: Endpoint) -> None:
        self._written_to[endpoint.host] = asyncio.get_running_loop().time()
        self._written_to.move_to_end(endpoint.host)
        if len(self._written_to) > MAX_WRITTEN_TO:
            self._written_to.popitem(last=False)

    def _requested(self, source: Endpoint) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._written_to.get(source.host, -WRITTEN_SECONDS) >= WRITTEN_SECONDS:
            self._reachability.reached_by(source.host, now)
            self._reached.set()

    # -- helping others ------------------------------------------------------------------------------------------

    def _dial(self, endpoint: Endpoint | None, asker: Endpoint) -> int:
        """Have the asker dialled by others, or dial for somebody; return how many will. Global addresses only.

        The asker has shown a token, so it is where it says; an endpoint that it names for somebody else is dialled by
        one small datagram, so many a second in all.
        """
        now = asyncio.get_running_loop().time()
        wanted = endpoint or asker
        if prefix(wanted.host) is None or not self._dials.take(DIALS_RATE, DIALS_BURST, now):
            return 0
        if endpoint is not None:
            self._jobs.start(self._ping(endpoint))
            return 1
        helpers = self._helpers(apart_from=asker.host)
        self._jobs.start(self._pass_on(helpers, asker))
        return len(helpers)

    async def _ping(self, endpoint: Endpoint) -> None:
        await self._protocol.request(
            endpoint, Ping(self._protocol.key.node_id, client=True, prove=False), Pong
        )

    async def _pass_on(self, helpers: Sequence[Contact], asker: Endpoint) -> None:
        for helper in helpers:
            if not self._protocol.token(helper):
                await self._protocol.ping(helper.endpoint)
            await self._ask_to_dial(helper, asker)
