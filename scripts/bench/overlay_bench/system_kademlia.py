"""Plain `kademlia`, as it comes."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import umsgpack  # type: ignore[import-untyped]
from kademlia.network import Server
from kademlia.node import Node
from kademlia.utils import digest

from .network import PORT, address
from .systems import NotPublished, Stages, Swarm, join_in_waves, text_of, value_of

K = 20
KIND_BYTES, ID_BYTES = 1, 20
LARGEST_VALUE = 8_000  # what its own clients can store; anybody else up to a datagram


class Kademlia:
    """Nodes of the package. It stores on the k nearest."""

    def __init__(self, nodes: list[Server], k: int) -> None:
        self.k = self.copies = k
        self._nodes = nodes

    async def publish(self, node: int, name: int) -> None:
        """See `Swarm.publish`: returns when each of the nearest has answered or timed out."""
        try:
            await self._nodes[node].set(text_of(name), value_of(name))
        except ValueError:  # it looks for the farthest of no nodes when all that it knew are dead
            raise NotPublished from None

    async def resolve(self, node: int, name: int) -> Stages:
        """See `Swarm.resolve`: there is one answer only."""
        if await self._nodes[node].get(text_of(name)) != value_of(name):
            return {}
        now = asyncio.get_running_loop().time()
        return {"first": now, "complete": now}

    def store_request(self, datagram: bytes) -> bytes | None:
        """See `Swarm.store_request`."""
        if datagram[0] != 0:
            return None
        body = umsgpack.unpackb(datagram[KIND_BYTES + ID_BYTES :])
        return datagram[KIND_BYTES : KIND_BYTES + ID_BYTES] if body[0] == "store" else None

    def store_answer(self, datagram: bytes) -> bytes | None:
        """See `Swarm.store_answer`: answers do not say what they answer, but a store's is True."""
        body = datagram[KIND_BYTES + ID_BYTES :]
        return datagram[KIND_BYTES : KIND_BYTES + ID_BYTES] if body == umsgpack.packb(True) else None

    def distance(self, node: int, name: int) -> int:
        """See `Swarm.distance`."""
        apart: int = self._nodes[node].node.distance_to(Node(digest(text_of(name))))
        return apart

    def questions(self, node: int) -> dict[str, bytes]:
        """See `Swarm.questions`: one of them stores a value as large as it takes, another fetches it."""
        key, header = digest(text_of(node)), b"\x00" + bytes(ID_BYTES)
        calls = {
            "ping": ["ping", [key]],
            "find_node": ["find_node", [key, key]],
            "store": ["store", [key, key, "x" * LARGEST_VALUE]],
            "find_value": ["find_value", [key, key]],
        }
        return {kind: header + umsgpack.packb(call) for kind, call in calls.items()}


@asynccontextmanager
async def start(nodes: int, k: int | None, seed: int) -> AsyncIterator[Swarm]:
    """Start nodes that join one after the other."""
    logging.disable(logging.CRITICAL)
    made = [Server(ksize=k or K) for _ in range(nodes)]
    for number, server in enumerate(made):
        await server.listen(PORT, address(number))

    async def join(number: int, through: int) -> None:
        await made[number].bootstrap([(address(through), PORT)])

    await join_in_waves(nodes, join, seed)
    try:
        yield Kademlia(made, k or K)
    finally:
        for server in made:
            server.stop()
