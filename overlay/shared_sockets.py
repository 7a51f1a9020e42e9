"""One UDP port for several networks: each datagram goes to the network whose MAC it bears, else to the public one."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from .protocol.endpoint import Endpoint
from .protocol.errors import WireError
from .protocol.network import Network
from .udp import OpenSocket, open_udp_socket


class SharedSockets:
    """Opens each endpoint once, however many networks listen there."""

    def __init__(self, open_socket: OpenSocket = open_udp_socket) -> None:
        self._open_socket = open_socket
        self._sockets: dict[Endpoint, _Socket] = {}

    def of(self, network: Network) -> OpenSocket:
        """Return what opens sockets for one network."""

        async def open_socket(
            endpoint: Endpoint, protocol: asyncio.DatagramProtocol
        ) -> asyncio.DatagramTransport:
            shared = self._sockets.get(endpoint)
            if shared is None or shared.transport.is_closing():
                shared = _Socket()
                shared.transport = await self._open_socket(endpoint, shared)
                self._sockets[endpoint] = shared
            share = _Share(shared, network)
            shared.users[network] = protocol
            protocol.connection_made(share)
            return share

        return open_socket


@dataclass
class _Socket(asyncio.DatagramProtocol):
    """An open socket and the networks that use it."""

    users: dict[Network, asyncio.DatagramProtocol] = field(default_factory=dict)
    transport: asyncio.DatagramTransport = field(init=False)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Pass it on to the one network that it is for."""
        public = None
        for network, protocol in self.users.items():
            if not network.key:
                public = protocol
            elif _is_for(network, data):
                protocol.datagram_received(data, addr)
                return
        if public is not None:
            public.datagram_received(data, addr)

    def error_received(self, exc: Exception) -> None:
        """Tell all: nobody knows whose datagram it was."""
        for protocol in self.users.values():
            protocol.error_received(exc)


class _Share(asyncio.DatagramTransport):
    """One network's part of a socket; the last to close it closes the socket."""

    def __init__(self, shared: _Socket, network: Network) -> None:
        super().__init__()
        self._shared = shared
        self._network = network
        self._closed = False

    def sendto(self, data: Any, addr: Any = None) -> None:
        self._shared.transport.sendto(data, addr)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._shared.transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        return self._closed

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._shared.users.pop(self._network, None)
        if not self._shared.users:
            self._shared.transport.close()

    def abort(self) -> None:
        self.close()


def _is_for(network: Network, data: bytes) -> bool:
    try:
        network.open(data)
    except WireError:
        return False
    return True
