"""OpenDHT, the C++ library that carries Jami: its own threads and sockets, driven through its Python binding."""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import opendht  # type: ignore[import-not-found]

from .network import PORT, address
from .systems import Stages, Swarm, join_in_waves, text_of, value_of

K = COPIES = 8  # built in: a bucket has 8 places, a value goes to the 8 nearest
PATIENCE_SECONDS = 60.0


class OpenDht:
    """Nodes of OpenDHT. Its callbacks come from its threads."""

    k = K
    copies = COPIES

    def __init__(self, nodes: list[Any]) -> None:
        self._nodes = nodes

    async def publish(self, node: int, name: int) -> None:
        """See `Swarm.publish`: it says so when all 8 have it."""
        key, value = opendht.InfoHash.get(text_of(name)), opendht.Value(value_of(name))
        done, when_done = _signal()
        self._nodes[node].put(key, value, done_cb=lambda _ok, _nodes: when_done())
        await _within_patience(done)

    async def resolve(self, node: int, name: int) -> Stages:
        """See `Swarm.resolve`: the first value, and the end of its search."""
        loop = asyncio.get_running_loop()
        stages: Stages = {}
        done, when_done = _signal()

        def take(value: Any) -> bool:
            if value.data == value_of(name):
                stages.setdefault("first", loop.time())
            return True

        def end(_ok: bool, _nodes: Any) -> None:
            if stages:
                stages["complete"] = loop.time()
            when_done()

        self._nodes[node].get(opendht.InfoHash.get(text_of(name)), get_cb=take, done_cb=end)
        await _within_patience(done)
        return dict(stages)

    def store_request(self, datagram: bytes) -> bytes | None:
        """See `Swarm.store_request`."""
        fields = msgpack.unpackb(datagram, raw=True, strict_map_key=False)
        return _key(fields[b"t"]) if fields.get(b"q") == b"put" else None

    def store_answer(self, datagram: bytes) -> bytes | None:
        """See `Swarm.store_answer`: any answer that is no error; the caller matches it with the question."""
        fields = msgpack.unpackb(datagram, raw=True, strict_map_key=False)
        return _key(fields[b"t"]) if fields.get(b"y") == b"r" else None

    def distance(self, node: int, name: int) -> int:
        """See `Swarm.distance`."""
        return int(str(self._nodes[node].getNodeId()), 16) ^ int(str(opendht.InfoHash.get(text_of(name))), 16)

    def questions(self, node: int) -> dict[str, bytes]:
        """See `Swarm.questions`: what its nodes ask one another, written after what is seen on the wire."""
        key = bytes.fromhex(str(opendht.InfoHash.get(text_of(node))))
        who = hashlib.sha1(str(node).encode(), usedforsecurity=False).digest()
        asked = {
            "ping": ("ping", {"id": who}),
            "find_node": ("find", {"id": who, "target": key}),
            "find_value": ("get", {"id": who, "h": key}),
        }
        return {
            kind: msgpack.packb({"a": fields, "q": name, "t": 2**30, "v": "o2", "y": "q"})
            for kind, (name, fields) in asked.items()
        }


def _key(transaction: Any) -> bytes:
    return transaction if isinstance(transaction, bytes) else str(transaction).encode()


def _signal() -> tuple[asyncio.Event, Callable[[], object]]:
    """Return an event and what sets it from any thread."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    return event, lambda: loop.call_soon_threadsafe(event.set)


async def _within_patience(event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await event.wait()
    except TimeoutError:
        print("opendht: no end after a minute", file=sys.stderr)


@asynccontextmanager
async def start(nodes: int, k: int | None, seed: int) -> AsyncIterator[Swarm]:
    """Start nodes that join one after the other.

    Raises:
        ValueError: another k than the one built in is wanted.
    """
    if k not in (None, K):
        raise ValueError("OpenDHT's k cannot be changed")
    made = []
    for number in range(nodes):
        runner = opendht.DhtRunner()
        runner.run(port=PORT, ipv4=address(number), ipv6="", config=opendht.DhtConfig())
        made.append(runner)

    async def join(number: int, through: int) -> None:
        joined, when_joined = _signal()
        where = opendht.SockAddr.resolve(address(through), str(PORT))[0]
        made[number].ping(where, done_cb=lambda _ok: when_joined())
        await _within_patience(joined)

    await join_in_waves(nodes, join, seed)
    try:
        yield OpenDht(made)
    finally:
        for runner in made:
            runner.shutdown()
