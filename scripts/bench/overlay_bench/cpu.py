"""Processor time of one find request, asker and answerer together: no sockets, both ends in this process.

Both nodes know a network of 300. Signatures are where they must be: a contact proves its id once in 10 minutes, and
what that costs is measured by itself, as is a claim's signature, which is checked once for each record.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from kademlia.node import Node
from kademlia.protocol import KademliaProtocol
from kademlia.storage import ForgetfulStorage

from overlay.dht import MeshProtocol
from overlay.identity import NodeKey
from overlay.protocol.contact import Contact
from overlay.protocol.endpoint import Endpoint
from overlay.protocol.network import PUBLIC
from overlay.protocol.nodeid import ID_BYTES, NodeId
from overlay.protocol.record import Kind, parse_record, sign_record
from overlay.protocol.record_store import RecordStore

HOST, KNOWN, ROUNDS = "127.0.0.1", 300, 5


class _Pipe:
    """A transport whose datagrams go straight to another protocol, in the loop's next turn."""

    def __init__(self, port: int) -> None:
        self.to: Any = None
        self._own = (HOST, port)

    def sendto(self, data: bytes, _address: tuple[str, int]) -> None:
        asyncio.get_running_loop().call_soon(self.to.datagram_received, data, self._own)

    def get_extra_info(self, _name: str) -> tuple[str, int]:
        return self._own

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Nothing is open."""


def _join(first: Any, second: Any) -> None:
    there, back = _Pipe(1), _Pipe(2)
    there.to, back.to = second, first
    first.connection_made(there)
    second.connection_made(back)


async def _cost(times: int, ask: Callable[[bytes], Awaitable[Any]], dice: random.Random) -> float:
    """Return the processor time of one ``ask`` in microseconds: the median of some rounds."""
    costs = []
    for _ in range(ROUNDS):
        targets = [dice.randbytes(ID_BYTES) for _ in range(times)]
        began = time.process_time()
        for target in targets:
            await ask(target)
        costs.append((time.process_time() - began) / times * 1e6)
    return median(costs)


def _others() -> list[tuple[bytes, str]]:
    """Return the id and host of everybody else: both tables are drawn from the same network."""
    dice = random.Random(2)
    return [(dice.randbytes(ID_BYTES), f"45.{other >> 8}.{other & 255}.10") for other in range(KNOWN)]


def _mesh_node(number: int, dice: random.Random) -> MeshProtocol:
    key = NodeKey.from_seed(dice.randbytes(32))
    own = Contact(key.node_id, Endpoint(HOST, number))
    node = MeshProtocol(own, RecordStore(), 16, key, client=False, network=PUBLIC, dice=dice)
    for other, host in _others():
        node.router.add(Contact(NodeId(other), Endpoint(host, 4000)))
    return node


async def _freecall(times: int) -> dict[str, float]:
    dice = random.Random(1)
    asker, answerer = _mesh_node(1, dice), _mesh_node(2, dice)
    _join(asker, answerer)
    other = Contact(answerer.key.node_id, Endpoint(HOST, 2))
    await asker.ping(other.endpoint)
    target = NodeId(dice.randbytes(ID_BYTES))
    sign = answerer.key.sign
    record = sign_record(Kind.CLAIM, target, answerer.key.public_key, 1, 3600, bytes(300), sign)

    async def read_record(_target: bytes) -> None:
        parse_record(target, record.raw)

    return {
        "find_us": await _cost(times, lambda target: asker.find_node(other, NodeId(target)), dice),
        "proof_us": await _cost(times // 10, lambda _target: asker.ping(other.endpoint), dice),
        "record_us": await _cost(times // 10, read_record, dice),
    }


async def _kademlia(times: int) -> dict[str, float]:
    logging.disable(logging.CRITICAL)
    dice = random.Random(1)
    asker, answerer = (
        KademliaProtocol(Node(dice.randbytes(ID_BYTES), HOST, port), ForgetfulStorage(), 20)
        for port in (1, 2)
    )
    _join(asker, answerer)
    for node in (asker, answerer):
        for other, host in _others():
            node.router.add_contact(Node(other, host, 4000))
    answering = answerer.source_node
    cost = await _cost(times, lambda target: asker.call_find_node(answering, Node(target)), dice)
    return {"find_us": cost}


async def run(system: str, times: int) -> dict[str, float]:
    """Return the costs in microseconds."""
    return await (_freecall(times) if system == "freecall" else _kademlia(times))
