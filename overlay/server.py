"""Opens the sockets of a node."""

import errno
import random
from collections.abc import Sequence

from kademlia.network import Server

from .dht import MeshProtocol
from .identity import NodeKey
from .protocol.contact import Contact
from .protocol.endpoint import Endpoint
from .protocol.network import Network
from .protocol.record_store import RecordStore
from .udp import OpenSocket


class MeshServer(Server):  # type: ignore[misc]
    """A `kademlia` server that pickles nothing and runs nothing unowned."""

    protocol: MeshProtocol

    def __init__(
        self,
        key: NodeKey,
        *,
        ksize: int,
        client: bool,
        network: Network,
        open_socket: OpenSocket,
        dice: random.Random,
    ) -> None:
        super().__init__(ksize=ksize, node_id=key.node_id)
        self.storage = RecordStore()
        source = Contact(key.node_id, Endpoint("0.0.0.0", 0))  # noqa: S104 - nobody connects to it
        self.node = source
        self.protocol = MeshProtocol(
            source, self.storage, ksize, key, client=client, network=network, dice=dice
        )
        self._open_socket = open_socket

    async def listen_on(self, endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
        """Open a socket for each endpoint, one for each address family at most; return where they are bound.

        A machine without IPv6 (or IPv4) does without it, as long as one socket is open.

        Raises:
            OSError: an address is taken or not ours.
            ValueError: two endpoints of the same family, or none.
        """
        if not 0 < len(endpoints) == len({endpoint.is_v6 for endpoint in endpoints}):
            raise ValueError("one endpoint to listen at for each of IPv4 and IPv6, and one at least")
        bound: list[Endpoint] = []
        for endpoint in endpoints:
            try:
                transport = await self._open_socket(endpoint, self.protocol)
            except OSError as error:
                if error.errno == errno.EAFNOSUPPORT and (bound or endpoint is not endpoints[-1]):
                    continue
                raise
            host, port = transport.get_extra_info("sockname")[:2]
            bound.append(Endpoint(host, port))
        return tuple(bound)

    def stop(self) -> None:
        """Close the sockets."""
        self.protocol.close()
