"""Discovery on the LAN by DNS-SD (RFC 6763): each node announces its mesh port and id, and hears of the others."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from .protocol.endpoint import Endpoint
from .protocol.network import Network

if TYPE_CHECKING:
    from zeroconf.asyncio import AsyncServiceInfo, AsyncZeroconf

logger = logging.getLogger(__name__)

SERVICE = "_freecall._udp.local."
RESOLVE_MS = 2000
CLOSE_SECONDS = 0.8
ADDRESS_CHECK_SECONDS = 3.0
MAX_WAITING = 64
RESOLVERS = 4


class LanDiscovery:
    """Announces this node and calls ``on_endpoint`` for each address of another of the same network, while `run` runs.

    ``own`` tells where this node can be reached now. When that changes (Wi-Fi comes up, a cable is pulled), it is
    announced anew; while there is nothing but loopback, nothing is sent.
    """

    def __init__(
        self,
        node_id: bytes,
        network: Network,
        own: Callable[[], Sequence[Endpoint]],
        on_endpoint: Callable[[Endpoint], None],
    ) -> None:
        self._kin = f"{network.label}-"
        self._name = f"{self._kin}{node_id.hex()}.{SERVICE}"
        self._own = own
        self._on_endpoint = on_endpoint

    async def run(self) -> None:
        """Announce and listen until cancelled; closing takes 0.8 s at most."""
        while True:
            own = self._announced()
            if own:
                try:
                    await self._serve(own)
                except OSError as error:
                    logger.warning("the LAN cannot be searched: %s", error.strerror)
            await asyncio.sleep(ADDRESS_CHECK_SECONDS)

    def _announced(self) -> list[Endpoint]:
        return [endpoint for endpoint in self._own() if not endpoint.is_loopback]

    async def _serve(self, own: list[Endpoint]) -> None:
        """Stand on the LAN until our addresses change."""
        from zeroconf import IPVersion
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

        names: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)

        def changed(*, name: str, state_change: object, **_: object) -> None:
            is_kin = name.startswith(self._kin) and name != self._name
            if is_kin and str(state_change) != "ServiceStateChange.Removed" and not names.full():
                names.put_nowait(name)

        version = IPVersion.All if any(endpoint.is_v6 for endpoint in own) else IPVersion.V4Only
        zeroconf = AsyncZeroconf(interfaces=[endpoint.host for endpoint in own], ip_version=version)
        try:
            await zeroconf.zeroconf.async_wait_for_start()
            browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE, handlers=[changed])
            try:
                async with asyncio.TaskGroup() as group:
                    tasks = [group.create_task(self._resolve_each(zeroconf, names)) for _ in range(RESOLVERS)]
                    tasks.append(group.create_task(self._announce(zeroconf, own)))
                    await self._until_moved(own)
                    for task in tasks:
                        task.cancel()
            finally:
                await browser.async_cancel()
        finally:
            await _close(zeroconf)

    async def _until_moved(self, own: list[Endpoint]) -> None:
        while self._announced() == own:  # noqa: ASYNC110 - the system tells nobody of a new address
            await asyncio.sleep(ADDRESS_CHECK_SECONDS)

    async def _announce(self, zeroconf: "AsyncZeroconf", own: list[Endpoint]) -> None:
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(
            SERVICE,
            self._name,
            port=own[0].port,
            addresses=[_packed(endpoint.host) for endpoint in own],
            server=f"{self._name.partition('.')[0]}.local.",
        )
        # The name is a hash of our key: nobody else has it, so no probing is needed (RFC 6762 section 8.1).
        await (await zeroconf.async_register_service(info, cooperating_responders=True))

    async def _resolve_each(self, zeroconf: "AsyncZeroconf", names: asyncio.Queue[str]) -> None:
        from zeroconf.asyncio import AsyncServiceInfo

        while True:
            info = AsyncServiceInfo(SERVICE, await names.get())
            if not await info.async_request(zeroconf.zeroconf, RESOLVE_MS):
                logger.debug("a node on the LAN did not give its address")
            else:
                self._tell(info)

    def _tell(self, info: "AsyncServiceInfo") -> None:
        for host in info.parsed_scoped_addresses():
            if info.port and "%" not in host:
                self._on_endpoint(Endpoint(host, info.port))


async def _close(zeroconf: "AsyncZeroconf") -> None:
    """Say goodbye and close the sockets; whatever hangs, the node's own stop goes on."""
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await zeroconf.async_close()
    except TimeoutError:
        logger.debug("the LAN could not be told in time that this node leaves")


def _packed(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
