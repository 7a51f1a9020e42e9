"""The systems that are compared, each as a swarm of nodes with ordinary sockets on the emulated network."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import Any, Protocol

VALUE_BYTES = 400  # what a claim with a delegation takes, for all systems
JOINING_AT_ONCE = 20

Stages = dict[str, float]
"""What happened, and at what time of the loop's clock: ``first`` value, ``complete`` answer."""


class NotPublished(Exception):
    """A system gave up: it could not publish."""


class Swarm(Protocol):
    """A system's nodes. Nodes and names are numbers."""

    k: int
    copies: int
    """On how many nodes it means to store a value."""

    async def publish(self, node: int, name: int) -> None:
        """Publish the name's value; return when the system says that it is published.

        Raises:
            NotPublished: it says that it could not.
        """

    async def resolve(self, node: int, name: int) -> Stages:
        """Look a name up; return the stages that were reached, none when it was not found."""

    def store_request(self, datagram: bytes) -> bytes | None:
        """Return the transaction of a datagram that asks to store a value; None for any other."""

    def store_answer(self, datagram: bytes) -> bytes | None:
        """Return the transaction of a datagram that says that a value is stored; None for any other."""

    def distance(self, node: int, name: int) -> int:
        """Return how far a node is from where a name's value belongs."""

    def questions(self, node: int) -> dict[str, bytes]:
        """Return the protocol's questions to a node, each as short as it is accepted, by a stranger."""


Start = Callable[[int, int | None, int], AbstractAsyncContextManager[Swarm]]
"""Starts a swarm: (nodes, k or None for the system's own, seed)."""


async def join_in_waves(nodes: int, join: Callable[[int, int], Any], seed: int) -> None:
    """Let node after node join through one that is there already, some at once."""
    dice = Random(seed)
    for first in range(1, nodes, JOINING_AT_ONCE):
        async with asyncio.TaskGroup() as group:
            for node in range(first, min(first + JOINING_AT_ONCE, nodes)):
                group.create_task(join(node, dice.randrange(first)))


def text_of(name: int) -> str:
    """Return a name as text."""
    return f"sip:user{name}@mesh"


def value_of(name: int) -> bytes:
    """Return what the peers store under a name: as many bytes as our record has."""
    return hashlib.shake_128(str(name).encode()).digest(VALUE_BYTES)


@asynccontextmanager
async def started(system: str, nodes: int, k: int | None, seed: int) -> AsyncIterator[Swarm]:
    """Start a swarm of the named system; each is imported only by the process that needs it."""
    start: Start
    if system == "freecall":
        from .system_freecall import start
    elif system == "kademlia":
        from .system_kademlia import start
    else:
        from .system_opendht import start
    async with start(nodes, k, seed) as swarm:
        yield swarm
