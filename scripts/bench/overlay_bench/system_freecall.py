"""Our own overlay, as an application uses it."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgpack

from overlay.errors import Isolated
from overlay.identity import NodeKey
from overlay.overlay import K, Overlay
from overlay.protocol.claim import Claim, claim_target
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.nodeid import distance
from overlay.protocol.record import Kind
from overlay.protocol.wire import AnyRequest, Dial, FindNode, FindValue, Ping, Store, Type, encode_request

from .network import PORT, address
from .systems import Stages, Swarm, join_in_waves, text_of

DELEGATION_BYTES = 200


class FreeCall:
    """Nodes of Free Call."""

    def __init__(self, nodes: list[Overlay], keys: list[NodeKey], k: int) -> None:
        self.k = self.copies = k
        self._nodes = nodes
        self._keys = keys
        self._owners: dict[int, int] = {}
        self._asked = 0

    async def publish(self, node: int, name: int) -> None:
        """See `Swarm.publish`: returns when a majority of the nearest holds it."""
        self._owners[name] = node
        claim = Claim(bytes(20), self._keys[node].public_key, bytes(20), bytes(DELEGATION_BYTES))
        await self._nodes[node].publish_claim(text_of(name), claim)

    async def resolve(self, node: int, name: int) -> Stages:
        """See `Swarm.resolve`: a call to a known contact ends with the first claim that is theirs.

        Each fourth asks for all claims instead, as a call to a stranger does, and tells when the answer is complete.
        """
        self._asked += 1
        stage = "complete" if self._asked % 4 == 0 else "first"
        owner = self._keys[self._owners[name]].public_key
        try:
            found = await self._nodes[node].resolve(text_of(name), owner if stage == "first" else b"")
        except Isolated as error:
            print(f"node {node} after {self._asked} questions: {error}", file=sys.stderr)
            return {}
        if all(one.node_public_key != owner for one in found.claims):
            return {}
        return {stage: asyncio.get_running_loop().time()}

    def store_request(self, datagram: bytes) -> bytes | None:
        """See `Swarm.store_request`."""
        fields = msgpack.unpackb(datagram)
        return fields[2] if fields[1] == Type.STORE else None

    def store_answer(self, datagram: bytes) -> bytes | None:
        """See `Swarm.store_answer`."""
        fields = msgpack.unpackb(datagram)
        return fields[2] if fields[1] == Type.STORED and fields[-1] == 0 else None

    def distance(self, node: int, name: int) -> int:
        """See `Swarm.distance`."""
        return distance(self._keys[node].node_id, claim_target(text_of(name)))

    def questions(self, node: int) -> dict[str, bytes]:
        """See `Swarm.questions`: those that name the fullest slot are about the name that the node published."""
        who, key = NodeKey.generate().node_id, self._keys[node].node_id
        names = [claim_target(text_of(name)) for name, owner in self._owners.items() if owner == node]
        target, token = (names or [key])[0], bytes(8)
        asked: dict[str, AnyRequest] = {
            "ping": Ping(who, client=False),
            "find_node": FindNode(who, False, target, b""),
            "find_value": FindValue(who, False, target, b"", 0),
            "find_value, forged token": FindValue(who, False, target, token, 0),
            "store": Store(who, False, target, token, int(Kind.BLOB), b"x"),
            "dial": Dial(who, False, b"", Endpoint("45.0.0.10", PORT)),
        }
        return {kind: encode_request(bytes(8), request) for kind, request in asked.items()}


@asynccontextmanager
async def start(nodes: int, k: int | None, seed: int) -> AsyncIterator[Swarm]:
    """Start nodes that join one after the other."""
    keys = [
        NodeKey.from_seed(hashlib.sha256(f"{seed}/{number}".encode()).digest()) for number in range(nodes)
    ]
    made: dict[int, Overlay] = {}
    async with AsyncExitStack() as stack:

        async def open_one(number: int, through: int | None) -> None:
            bootstrap = () if through is None else (Endpoint(address(through), PORT),)
            listen = (Endpoint(address(number), PORT),)
            overlay = Overlay(keys[number], listen=listen, bootstrap=bootstrap, k=k or K)
            made[number] = await stack.enter_async_context(overlay)
            await overlay.join()

        await open_one(0, None)
        await join_in_waves(nodes, open_one, seed)
        yield FreeCall([made[number] for number in range(nodes)], keys, k or K)
