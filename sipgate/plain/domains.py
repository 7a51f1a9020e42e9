"""The way to plain SIP domains: sockets of their own, which take nothing but what belongs to calls we have made."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from sipgate.addresses import free_port, our_address_towards
from sipgate.calls.dialogs import Dialogs, Receiver
from sipgate.calls.refusal import check_extensions, refuse
from sipgate.endpoint import Endpoint
from sipgate.ports import DomainNames, Refusal
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request
from sipgate.protocol.public_address import is_public, is_unicast
from sipgate.protocol.server_location import Server, locate
from sipgate.protocol.timers import Timer, TimerValues
from sipgate.protocol.uri import Uri
from sipgate.server_transaction import ServerTransaction
from sipgate.supervision import Supervise, in_the_group
from sipgate.transport import Hop
from sipgate.vias import Vias
from sipgate.ways import host_in_uri

ALL_IPV4, ALL_IPV6 = "0.0.0.0", "::"  # noqa: S104 - calls leave by whatever way there is
LOOKUP_SECONDS = 10.0


class OutsideTimers(TimerValues):
    """A server that says nothing to an INVITE for 8 s is given up in place of 32: there may be another one."""

    def first(self, timer: Timer, *, reliable: bool) -> float | None:
        """Return how long a timer runs."""
        return 16 * self.t1 if timer is Timer.TIMER_B else super().first(timer, reliable=reliable)


class Domains:
    """Finds the servers of plain domains, and talks with them. An async context manager.

    `names` answers questions to the DNS. `allows_private` lets a domain be on this machine or its LAN. `chance(n)`
    gives a number from 0 to n - 1.
    """

    def __init__(
        self,
        names: DomainNames,
        *,
        allows_private: bool = False,
        supervise: Supervise = in_the_group,
        token: Callable[[], str] = lambda: secrets.token_hex(12),
        chance: Callable[[int], int] = secrets.randbelow,
        timers: TimerValues | None = None,
    ) -> None:
        self.dialogs = Dialogs()
        self.port = 0
        self.endpoint = Endpoint(
            on_request=self._answer, supervise=supervise, timers=timers or OutsideTimers()
        )
        self._names = names
        self._allows_private = allows_private
        self._token = token
        self._chance = chance
        self._stack = AsyncExitStack()
        self._has_ipv6 = False

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.endpoint)
        self.port = free_port(ALL_IPV4, 0)
        await self._listen(ALL_IPV4)
        with suppress(OSError):  # no IPv6 on this machine, or the port is taken there: then over IPv4 only
            await self._listen(ALL_IPV6)
            self._has_ipv6 = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def _listen(self, host: str) -> None:
        await self.endpoint.listen_udp(host, self.port)
        await self.endpoint.listen_tcp(host, self.port)

    def may_reach(self, address: str) -> bool:
        """Tell whether a domain may have us send to an IP literal."""
        return is_unicast(address) if self._allows_private else is_public(address)

    async def servers(self, uri: Uri) -> tuple[Hop, ...]:
        """Return the servers to try for a URI, best first, all by one transport and one version of IP.

        Raises:
            Refusal: 404 there are none, 403 they are where we do not go, 480 there is no way, 503 no DNS; 400.
        """
        host = uri.host.strip("[]").lower()
        try:
            found = await self._located(uri)
        except SipError as error:
            raise Refusal(error.status, error.reason) from None
        if not found:
            raise Refusal(404, f"There is no domain {host} that takes calls")
        allowed = [server for server in found if self.may_reach(server.host)]
        if not allowed:
            raise Refusal(
                403, f"{host} is on a private network, and calls there are off (plain_domains_private)"
            )
        usable = [server for server in allowed if self._has_way_to(server)]
        if not usable:
            raise Refusal(480, f"There is no way to {host} from here")
        is_ipv6 = ":" in usable[0].host
        domain = host if usable[0].transport == "tls" else None
        return tuple(
            Hop(server.transport, server.host, server.port, domain=domain)
            for server in usable
            if (":" in server.host) == is_ipv6
        )

    async def _located(self, uri: Uri) -> tuple[Server, ...]:
        location = locate(uri, self._chance)
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                question = next(location)
                while True:
                    question = location.send(await self._names.ask(question))
        except StopIteration as done:
            found: tuple[Server, ...] = done.value
            return found
        except TimeoutError:
            raise Refusal(503, f"The DNS took too long to say where {uri.host} is") from None

    def _has_way_to(self, server: Server) -> bool:
        if ":" in server.host and not self._has_ipv6:
            return False
        return Vias.local_host(server.host) is not None

    def contact(self, username: str, server: Hop) -> str:
        """Return our address towards a server, as a URI: nothing in it tells more of the user than the name."""
        parameter = "" if server.transport == "udp" else f";transport={server.transport}"
        host = host_in_uri(our_address_towards(server.host))
        return f"sip:{username}@{host}:{self.port}{parameter}"

    async def _answer(self, transaction: ServerTransaction) -> None:
        """Take requests of calls that we have made, and turn away all others."""
        request = transaction.request
        try:
            check_extensions(request, from_phone=True)
            await self._leg_of(request).receive(transaction)
        except Refusal as refusal:
            await transaction.respond(refuse(request, refusal, self._token()))

    def _leg_of(self, request: Request) -> Receiver:
        if request.to.tag is None:
            raise Refusal(403, "Calls from other domains are not taken here")
        leg = self.dialogs.find(request)
        if leg is None:
            raise Refusal(481, "No such call")
        return leg
