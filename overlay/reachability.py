"""Finds out whether others can reach this node, and helps others to find it out. The rules are in `protocol`."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import count

from .dht import MeshProtocol
from .jobs import Jobs
from .protocol.contact import Contact
from .protocol.endpoint import Endpoint, Scope, prefix
from .protocol.reachability import REALMS, Reachability, Realm, Standing, realm_of
from .protocol.request_budget import RequestBudget
from .protocol.wire import Dial, Dialed, Ping, Pong

logger = logging.getLogger(__name__)

FIRST_CHECK_SECONDS, FIRST_CHECK_TURN_SECONDS = 1.0, 0.4
CHECKS_SECONDS = (1.0, 5.0, 20.0, 60.0)
CHECK_SECONDS = 600.0
CHECK_CLOSED_SECONDS = 120.0
DIAL_BACK_SECONDS = 6.0
HELPERS = 3
TELLING_DIALS = 3.0
WRITTEN_SECONDS = 300.0
MAX_WRITTEN_TO = 4096
DIALS_EACH, DIALS_TOGETHER = (0.1, 5.0), (5.0, 100.0)
NAMED_BY_EACH = (1.0, 30.0)
OWN_HOSTS_SECONDS = 5.0


class ReachabilityCheck:
    """Keeps `MeshProtocol.standings` true to what others can do. ``own_hosts`` tells our interfaces' addresses now.

    ``on_change`` is called when `is_reachable` has been found out, or has changed.
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
        self._named_by = RequestBudget(NAMED_BY_EACH)
        self._reached = asyncio.Event()
        self._shut_out = asyncio.Event()
        self._has_checked = False
        self._told: bool | None = None
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

    async def check_first(self) -> None:
        """Behind a NAT, ask the first contacts for dial-backs before we write to others; takes a second at most.

        Only who was never written to can prove anything, and in a small mesh a lookup writes to everybody.
        """
        try:
            async with asyncio.timeout(FIRST_CHECK_SECONDS):
                for realm, judge in self._judges.items():
                    while realm.is_global and self._is_closed(realm):
                        await self._prove(realm, judge)
        except TimeoutError:
            logger.debug("not enough others have dialled us yet")
        finally:
            self._has_checked = True
        self._tell()

    async def _prove(self, realm: Realm, judge: Reachability) -> None:
        """Have us dialled once; the next time more may have answered who can help."""
        seen = judge.seen_as(self._hosts())
        if seen is not None:
            await self._have_dialled(seen)
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_CHECK_TURN_SECONDS):
                while self._is_closed(realm):
                    self._reached.clear()
                    await self._reached.wait()

    def _is_closed(self, realm: Realm) -> bool:
        return self._protocol.standings[realm] is Standing.CLOSED

    async def run(self) -> None:
        """Ask for dial-backs now and then, for ever: oftener while we are closed, soon when that is new."""
        while True:
            self._shut_out.clear()
            await self._check_until_shut_out()

    async def _check_until_shut_out(self) -> None:
        for number in count():
            is_closed = Standing.CLOSED in self._protocol.standings.values()
            seconds = CHECK_CLOSED_SECONDS if is_closed else CHECK_SECONDS
            if number < len(CHECKS_SECONDS):
                seconds = CHECKS_SECONDS[number]
            try:
                async with asyncio.timeout(seconds * self._protocol.dice.uniform(0.8, 1.2)):
                    await self._shut_out.wait()
                    return
            except TimeoutError:
                await self._check()

    async def _check(self) -> None:
        for realm, judge in self._judges.items():
            seen = judge.seen_as(self._hosts()) if realm.is_global else None
            if seen is not None:
                await self._check_realm(realm, judge, seen)

    async def _check_realm(self, realm: Realm, judge: Reachability, seen: Endpoint) -> None:
        self._reached.clear()
        strangers = self._strangers(seen)
        asked = await self._have_dialled(seen)
        if asked * strangers >= TELLING_DIALS:
            try:
                async with asyncio.timeout(DIAL_BACK_SECONDS):
                    await self._reached.wait()
            except TimeoutError:
                judge.asked_in_vain()
        self._judge(realm)

    def _strangers(self, seen: Endpoint) -> float:
        """Return the share of those whom we have not written to: nobody else who dials us proves anything.

        Contacts stand for everybody. In a small mesh there are no strangers: then it means nothing that none came.
        """
        hosts = [one.endpoint.host for one in self._protocol.router if one.endpoint.is_v6 == seen.is_v6]
        return sum(not self._have_written_to(host) for host in hosts) / max(1, len(hosts))

    async def _have_dialled(self, seen: Endpoint) -> int:
        """Ask some contacts to have others dial us; return how many will."""
        asked = 0
        for contact in self._helpers(seen):
            answer = await self._ask_to_dial(contact, None)
            asked += answer.count if answer is not None else 0
        return asked

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
        if not self._protocol.token(contact):
            await self._protocol.ping(contact.endpoint)
        token = self._protocol.token(contact)
        if not token:
            return None
        client = self._protocol.is_client_to(contact.endpoint)
        request = Dial(self._protocol.key.node_id, client, token, endpoint)
        answer = await self._protocol.request(contact.endpoint, request, Dialed)
        return answer if isinstance(answer, Dialed) else None

    def _judge(self, realm: Realm) -> None:
        standing = self._judges[realm].standing(self._hosts())
        if standing is Standing.CLOSED and self._protocol.standings[realm] is not standing:
            self._shut_out.set()
        self._protocol.standings[realm] = standing
        if standing is not Standing.UNKNOWN:
            self._tell()

    def _tell(self) -> None:
        """Tell what is new: not before it was tried, and good news not unasked before it is proven."""
        is_reachable, standings = self.is_reachable, self._protocol.standings.items()
        is_proven = any(realm.is_global and standing is Standing.PROVEN for realm, standing in standings)
        is_to_be_told = self._told is False or is_proven or not is_reachable
        if self._has_checked and is_to_be_told and is_reachable is not self._told:
            self._told = is_reachable
            self._on_change()

    def _hosts(self) -> Sequence[str]:
        """Return our own addresses; the machine is asked every few seconds at most."""
        now = asyncio.get_running_loop().time()
        if self._own_hosts is None or now - self._own_hosts[0] >= OWN_HOSTS_SECONDS:
            before = self._own_hosts[1] if self._own_hosts else ()
            self._own_hosts = now, self._ask_own_hosts()
            self._lose(set(before).difference(self._own_hosts[1]))
        return self._own_hosts[1]

    def _lose(self, hosts: Collection[str]) -> None:
        """Who loses an address has moved, and nothing is known of the new place; who only gains one has not."""
        for is_v6 in {":" in host for host in hosts}:
            for realm, judge in self._judges.items():
                if realm.is_v6 is is_v6:
                    judge.moved()
                    self._protocol.standings[realm] = Standing.UNKNOWN

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
        if not self._have_written_to(source.host):
            realm = realm_of(source)
            self._judges[realm].reached_by(source.host, asyncio.get_running_loop().time())
            if self._is_closed(realm):
                self._judge(realm)
            self._reached.set()
        self._write(source)  # our answer opens the way for its next request

    def _have_written_to(self, host: str) -> bool:
        written = self._written_to.get(host)
        return written is not None and asyncio.get_running_loop().time() - written < WRITTEN_SECONDS

    # -- helping others ------------------------------------------------------------------------------------------

    def _dial(self, endpoint: Endpoint | None, asker: Endpoint) -> int:
        """Have the asker dialled by others, or dial for somebody; return how many will. Addresses of the world only.

        The asker has shown a token, so it is where it says. Whom a proven contact names is dialled with one small
        datagram; so few for each network that is dialled, for each contact that names some, and in all, that nobody is
        flooded nor ports are searched.
        """
        wanted, now = endpoint or asker, asyncio.get_running_loop().time()
        if not asker.scope is wanted.scope is Scope.WORLD:
            return 0
        if endpoint is not None and not (self._is_contact(asker) and self._named_by.allows(asker.host, now)):
            return 0
        if not self._dials.allows(wanted.host, now):
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
            await self._ask_to_dial(helper, asker)
