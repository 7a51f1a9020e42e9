"""Discovery on the LAN by DNS-SD (RFC 6763): each node announces its mesh port and id, and hears of the others."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from .protocol.endpoint import Endpoint

logger = logging.getLogger(__name__)

SERVICE = "_freecall._udp.local."
RESOLVE_MS = 2000


class LanDiscovery:
    """Announces this node and calls ``on_endpoint`` for each address of another. An async context manager."""

    def __init__(
        self, node_id: bytes, own: Sequence[Endpoint], on_endpoint: Callable[[Endpoint], None]
    ) -> None:
        self._name = f"{node_id.hex()}.{SERVICE}"
        self._own = own
        self._on_endpoint = on_endpoint
        self._group = asyncio.TaskGroup()
        self._known: set[str] = set()

    async def __aenter__(self) -> Self:
        from zeroconf import InterfaceChoice, IPVersion
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

        await self._group.__aenter__()
        v6 = any(endpoint.is_v6 for endpoint in self._own)
        self._zeroconf = AsyncZeroconf(
            interfaces=InterfaceChoice.All, ip_version=IPVersion.All if v6 else IPVersion.V4Only
        )
        self._info = AsyncServiceInfo(
            SERVICE,
            self._name,
            port=self._own[0].port,
            addresses=[_packed(endpoint.host) for endpoint in self._own],
            server=f"{self._name.partition('.')[0]}.local.",
        )
        await self._zeroconf.async_register_service(self._info, cooperating_responders=True)
        self._browser = AsyncServiceBrowser(self._zeroconf.zeroconf, SERVICE, handlers=[self._changed])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._browser.async_cancel()
        await self._zeroconf.async_unregister_service(self._info)
        await self._zeroconf.async_close()
        await self._group.__aexit__(kind, error, trace)

    def _changed(self, zeroconf: object, service_type: str, name: str, state_change: object) -> None:
        del zeroconf
        from zeroconf import ServiceStateChange

        if state_change is ServiceStateChange.Removed or name == self._name:
            return
        self._group.create_task(self._resolve(service_type, name))

    async def _resolve(self, service_type: str, name: str) -> None:
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(service_type, name)
        if not await info.async_request(self._zeroconf.zeroconf, RESOLVE_MS):
            logger.debug("a node on the LAN did not give its address")
            return
        for host in info.parsed_scoped_addresses():
            if info.port and "%" not in host:
                self._on_endpoint(Endpoint(host, info.port))


def _packed(host: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
