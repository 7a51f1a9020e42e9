"""Nodes on loopback, each owned by a task of its own, so that they can stop together or one by one."""

import asyncio
import errno
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from overlay.events import OverlayEvent
from overlay.identity import NodeKey
from overlay.overlay import Overlay
from overlay.protocol.claim import Claim
from overlay.protocol.endpoint import Endpoint

LOOPBACK = Endpoint("127.0.0.1", 0)


class MemoryStore:
    """A `Store` that remembers what was saved, in order."""

    def __init__(self, data: bytes | None = None) -> None:
        self.saved: list[bytes] = [] if data is None else [data]

    def load(self) -> bytes | None:
        """Return the last."""
        return self.saved[-1] if self.saved else None

    def save(self, data: bytes) -> None:
        """Add one."""
        self.saved.append(data)


class FullDisk(MemoryStore):
    """A `Store` that cannot write."""

    def save(self, data: bytes) -> None:
        """Fail, as a full disk does."""
        del data
        raise OSError(errno.ENOSPC, "No space left on device")


def claim_of(key: NodeKey, size: int = 200) -> Claim:
    """Return a claim of a node for some user."""
    return Claim(bytes(20), key.public_key, bytes(20), bytes(size))


@dataclass
class Node:
    """A running overlay, and the handle that stops it."""

    key: NodeKey
    overlay: Overlay
    events: list[OverlayEvent]
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        return self.overlay.addresses[0]

    async def stop(self) -> None:
        """Leave the mesh politely."""
        self.stopping.set()
        await self.stopped.wait()

    def kill(self) -> None:
        """Fall silent, as after a power cut."""
        self.overlay._server.stop()


class Swarm:
    """An async context manager that starts nodes; leaving it stops those that still run, all at once."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._group = asyncio.TaskGroup()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for node in self.nodes:
            node.stopping.set()
        await self._group.__aexit__(kind, error, trace)

    async def start(
        self,
        *,
        key: NodeKey | None = None,
        bootstrap: Sequence[Endpoint] | None = None,
        listen: Sequence[Endpoint] = (LOOPBACK,),
        join: bool = True,
        **options: Any,
    ) -> Node:
        """Start a node; without ``bootstrap`` it is told of the first one."""
        if bootstrap is None:
            bootstrap = [self.nodes[0].endpoint] if self.nodes else []
        key = key or NodeKey.generate()
        events: list[OverlayEvent] = []
        overlay = Overlay(key, listen=listen, bootstrap=bootstrap, on_event=events.append, **options)
        node = Node(key, overlay, events)
        started = asyncio.get_running_loop().create_future()
        self._group.create_task(self._run(node, started))
        await started
        self.nodes.append(node)
        if join:
            await overlay.join()
        return node

    @staticmethod
    async def _run(node: Node, started: asyncio.Future[None]) -> None:
        try:
            async with node.overlay:
                started.set_result(None)
                await node.stopping.wait()
        except OSError as error:
            started.set_exception(error)
        finally:
            node.stopped.set()


async def eventually(condition: Any, seconds: float = 5.0) -> None:
    """Wait until ``condition()`` holds; for what no event tells."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - for what no event tells
            await asyncio.sleep(0.01)
