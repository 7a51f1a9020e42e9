"""Several networks at once: a node that belongs to more than one mesh asks all and tells all."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from .errors import Isolated
from .events import CutOff, Joined, Lonely, OverlayEvent
from .overlay import FoundClaim, NodeRecord, Overlay, Resolution
from .protocol.claim import Claim
from .protocol.endpoint import Endpoint
from .protocol.network import Network

T = TypeVar("T")


class Overlays:
    """What an `Overlay` offers, over several of them. An async context manager that enters them all.

    Let them share their port (`overlay.shared_sockets`), and their events (`together`).
    """

    def __init__(self, overlays: Sequence[Overlay]) -> None:
        self._overlays = tuple(overlays)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for overlay in self._overlays:
                await stack.enter_async_context(overlay)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def contacts(self) -> int:
        """How many proven contacts are known in all."""
        return sum(overlay.contacts for overlay in self._overlays)

    @property
    def is_reachable(self) -> bool:
        """False when nobody on any network can reach this node."""
        return any(overlay.is_reachable for overlay in self._overlays)

    @property
    def seen_as(self) -> Endpoint | None:
        """Where others see this node, by the first network where they agree."""
        return next((overlay.seen_as for overlay in self._overlays if overlay.seen_as is not None), None)

    async def join(self) -> int:
        """Look for other nodes everywhere, see `Overlay.join`; return how many contacts are known in all."""
        return sum(await self._all(lambda overlay: overlay.join()))

    def meet(self, network: Network, endpoints: Sequence[Endpoint]) -> bool:
        """See `Overlay.meet`; False when this node is not on that network."""
        return any(overlay.meet(network, endpoints) for overlay in self._overlays)

    async def resolve(self, uri: str, node_public_key: bytes = b"") -> Resolution:
        """Return every claim under ``uri`` on any network, see `Overlay.resolve`.

        Raises:
            Isolated: on none of them is anybody to be asked.
        """
        answers = await self._ask(lambda overlay: _resolution(overlay, uri, node_public_key))
        heard = [answer for answer in answers if isinstance(answer, Resolution)]
        if not heard:
            raise next(answer for answer in answers if isinstance(answer, Isolated))
        claims: dict[bytes, FoundClaim] = {}
        for found in (found for answer in heard for found in answer.claims):
            known = claims.get(found.node_public_key)
            if known is None or found.copies > known.copies:
                claims[found.node_public_key] = found
        asked, elapsed = sum(answer.asked for answer in heard), max(answer.elapsed_ms for answer in heard)
        return Resolution(tuple(claims.values()), asked, elapsed)

    async def resolve_node(self, node_public_key: bytes) -> NodeRecord | None:
        """Return where a node can be reached now, from the network that knows most addresses."""
        records = await self._ask(lambda overlay: overlay.resolve_node(node_public_key))
        found = [record for record in records if record is not None]
        return max(found, key=lambda record: len(record.endpoints), default=None)

    async def fetch_blob(self, key: bytes) -> bytes | None:
        """Return the blob of that hash, None when nobody has it."""
        blobs = await self._ask(lambda overlay: overlay.fetch_blob(key))
        return next((blob for blob in blobs if blob is not None), None)

    async def publish_claim(self, uri: str, claim: Claim) -> int:
        """Publish a claim on each network; return how many nodes hold it in all, ourselves counted once."""
        return _copies(await self._all(lambda overlay: overlay.publish_claim(uri, claim)))

    async def publish_node(self, endpoints: Sequence[Endpoint]) -> int:
        """Publish on each network where this node can be reached; return as `publish_claim` does."""
        return _copies(await self._all(lambda overlay: overlay.publish_node(endpoints)))

    async def publish_blob(self, data: bytes) -> bytes:
        """Publish a blob on each network; return its key. Raises as `Overlay.publish_blob` does."""
        return (await self._all(lambda overlay: overlay.publish_blob(data)))[0]

    async def _ask(self, ask: Callable[[Overlay], Coroutine[Any, Any, T]]) -> list[T]:
        """Look on those where others are, on all if there are none: who is alone looks for others first."""
        return await _together(
            [overlay for overlay in self._overlays if overlay.contacts] or self._overlays, ask
        )

    async def _all(self, tell: Callable[[Overlay], Coroutine[Any, Any, T]]) -> list[T]:
        return await _together(self._overlays, tell)


def together(count: int, on_event: Callable[[OverlayEvent], None]) -> list[Callable[[OverlayEvent], None]]:
    """Return a callback for each of ``count`` overlays: alone, or cut off, is who is so on all of them."""
    alone: set[int] = set()

    def callback(number: int) -> Callable[[OverlayEvent], None]:
        def tell(event: OverlayEvent) -> None:
            if isinstance(event, Joined):
                alone.discard(number)
            elif isinstance(event, Lonely | CutOff):
                alone.add(number)
                if len(alone) < count:
                    return
            on_event(event)

        return tell

    return [callback(number) for number in range(count)]


async def _together(overlays: Sequence[Overlay], do: Callable[[Overlay], Coroutine[Any, Any, T]]) -> list[T]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(do(overlay)) for overlay in overlays]
    return [task.result() for task in tasks]


async def _resolution(overlay: Overlay, uri: str, node_public_key: bytes) -> Resolution | Isolated:
    try:
        return await overlay.resolve(uri, node_public_key)
    except Isolated as error:
        return error


def _copies(counts: Sequence[int]) -> int:
    return 1 + sum(max(0, count - 1) for count in counts)
