"""Finds out whether others can reach this node, and helps others to find it out. The rules are in `protocol`."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence

from .dht import MeshProtocol
from .jobs import Jobs
from .protocol.contact import Contact
from .protocol.endpoint import Endpoint, Scope, prefix
from .protocol.reachability import REALMS, Reachability, Realm, Standing, realm_of
from .protocol.request_budget import RequestBudget
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
DIALS_EACH, DIALS_TOGETHER = (0.1, 5.0), (1.0, 10.0)
OWN_HOSTS_SECONDS = 5.0


class ReachabilityCheck:
    """Keeps `MeshProtocol.standings` true to what others can do. ``own_hosts`` tells our interfaces' addresses now.

    ``on_change`` is called when others of some realm can reach us now, or cannot any more.
    """

    def __init__(
        self,
        protocol: MeshProtocol,
        jobs: Jobs,
        own_hosts: Callable[[], Sequence[str]],
        on_change: Callable[[], None],
    ) -> None:
        self._protocol = protocol
        self._jobs = jobs
        self._ask_own_hosts = own_hosts
        self._own_hosts: tuple[float, Sequence[str]] | None = None
        self._on_change = on_change
        self._judges = {realm: Reachability() for realm in REALMS}
        self._written_to: OrderedDict[str, float] = OrderedDict()
        self._dials = RequestBudget(DIALS_EACH, DIALS_TOGETHER)
        self._reached = asyncio.Event()
        protocol.on_observed = self._observed
        protocol.on_dial = self._dial
        protocol.on_write = self._write
        protocol.on_request = self._requested

    @property
    def seen_as(self) -> Endpoint | None:
        """Where others see us: the widest realm in which they do."""
        own = self._hosts()
        return next((seen for judge in self._judges.values() if (seen := judge.seen_as(own))), None)

    @property
    def is_reachable(self) -> bool:
        """False when the others that we know of, or those of the wide world among them, cannot reach us."""
        known = [
            realm for realm, standing in self._protocol.standings.items() if standing is not Standing.UNKNOWN
        ]
        widest = [realm for realm in known if realm.is_global] or known
        return not widest or any(self._protocol.standings[realm] is not Standing.CLOSED for realm in widest)

    async def run(self) -> None:
        """Ask for dial-backs now and then, for ever; soon after the start, and oftener while we are closed."""
        for seconds in FIRST_CHECKS_SECONDS:
            await asyncio.sleep(seconds * self._protocol.dice.uniform(0.8, 1.2))
            await self._check()
        while True:
            is_closed = Standing.CLOSED in self._protocol.standings.values()
            seconds = CHECK_CLOSED_SECONDS if is_closed else CHECK_SECONDS
            await asyncio.sleep(seconds * self._protocol.dice.uniform(0.8, 1.2))
            await self._check()

    async def _check(self) -> None:
        for realm, judge in self._judges.items():
            seen = judge.seen_as(self._hosts()) if realm.is_global else None
            if seen is not None:
                await self._check_realm(realm, judge, seen)

    async def _check_realm(self, realm: Realm, judge: Reachability, seen: Endpoint) -> None:
        self._reached.clear()
        asked = 0
        for contact in self._helpers(seen):
            answer = await self._ask_to_dial(contact, None)
            asked += answer.count if answer is not None else 0
        if (
            asked and len(self._protocol.router) >= LEAST_CONTACTS
        ):  # among fewer, we have written to everybody
            try:
                async with asyncio.timeout(DIAL_BACK_SECONDS):
                    await self._reached.wait()
            except TimeoutError:
                judge.asked_in_vain()
        self._judge(realm)

    def _helpers(self, apart_from: Endpoint) -> list[Contact]:
        """Return some contacts of the same family, each from another network of the world."""
        chosen: dict[bytes, Contact] = {}
        contacts = list(self._protocol.router)
        for contact in self._protocol.dice.sample(contacts, len(contacts)):
            network = prefix(contact.endpoint.host)
            is_fit = network is not None and contact.endpoint.is_v6 == apart_from.is_v6
            if network is not None and is_fit and network != prefix(apart_from.host):
                chosen.setdefault(network, contact)
            if len(chosen) == HELPERS:
                break
        return list(chosen.values())

    async def _ask_to_dial(self, contact: Contact, endpoint: Endpoint | None) -> Dialed | None:
        token = self._protocol.token(contact)
        if not token:
            return None
        key = self._protocol.key
        request = Dial(key.node_id, self._protocol.is_client_to(contact.endpoint), token, endpoint)
        answer = await self._protocol.request(contact.endpoint, request, Dialed)
        return answer if isinstance(answer, Dialed) else None

    def _judge(self, realm: Realm) -> None:
        standing = self._judges[realm].standing(self._hosts(), asyncio.get_running_loop().time())
        before = self._protocol.standings[realm]
        self._protocol.standings[realm] = standing
        if (before is Standing.CLOSED) != (standing is Standing.CLOSED):
            self._on_change()

    def _hosts(self) -> Sequence[str]:
        """Return our own addresses; the machine is asked every few seconds at most."""
        now = asyncio.get_running_loop().time()
        if self._own_hosts is None or now - self._own_hosts[0] >= OWN_HOSTS_SECONDS:
            self._own_hosts = now, self._ask_own_hosts()
        return self._own_hosts[1]

    # -- what the protocol reports -------------------------------------------------------------------------------

    def _observed(self, observer: Endpoint, endpoint: Endpoint) -> None:
        realm = realm_of(observer)
        if self._judges[realm].observe(observer.host, endpoint):
            self._judge(realm)

    def _write(self, endpoint: Endpoint) -> None:
        self._written_to[endpoint.host] = asyncio.get_running_loop().time()
        self._written_to.move_to_end(endpoint.host)
        if len(self._written_to) > MAX_WRITTEN_TO:
            self._written_to.popitem(last=False)

    def _requested(self, source: Endpoint) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._written_to.get(source.host, -WRITTEN_SECONDS) >= WRITTEN_SECONDS:
            self._judges[realm_of(source)].reached_by(source.host, now)
            self._reached.set()

    # -- helping others ------------------------------------------------------------------------------------------

    def _dial(self, endpoint: Endpoint | None, asker: Endpoint) -> int:
        """Have the asker dialled by others, or dial for somebody; return how many will. Addresses of the world only.

        The asker has shown a token, so it is where it says. Whom a proven contact names is dialled with one small
        datagram; so few for each network that asks, and in all, that nobody is flooded nor ports are searched.
        """
        wanted = endpoint or asker
        if not asker.scope is wanted.scope is Scope.WORLD or not (
            endpoint is None or self._is_contact(asker)
        ):
            return 0
        if not self._dials.allows(asker.host, asyncio.get_running_loop().time()):
            return 0
        if endpoint is not None:
            self._jobs.start(self._ping(endpoint))
            return 1
        helpers = self._helpers(asker)
        self._jobs.start(self._pass_on(helpers, asker))
        return len(helpers)

    def _is_contact(self, asker: Endpoint) -> bool:
        return any(contact.endpoint == asker for contact in self._protocol.router)

    async def _ping(self, endpoint: Endpoint) -> None:
        await self._protocol.request(
            endpoint, Ping(self._protocol.key.node_id, client=True, prove=False), Pong
        )

    async def _pass_on(self, helpers: Sequence[Contact], asker: Endpoint) -> None:
        for helper in helpers:
            if not self._protocol.token(helper):
                await self._protocol.ping(helper.endpoint)
            await self._ask_to_dial(helper, asker)
