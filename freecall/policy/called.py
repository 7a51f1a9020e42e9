"""Whom our user has called of late: they may call back, also when they could not be reached then."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from sipgate.ports import Directory, Peer

DAY = 86_400.0
MAX_CALLED = 200


@dataclass
class Called:
    """Names and keys for a day; of too many the oldest are forgotten. Times are of a clock that never jumps."""

    _called: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict, init=False)

    def __len__(self) -> int:
        return len(self._called)

    def note(self, uri: str, fingerprint: str, now: float) -> None:
        """Somebody is called."""
        self._called[uri, fingerprint] = now
        self._called.move_to_end((uri, fingerprint))
        if len(self._called) > MAX_CALLED:
            self._called.popitem(last=False)

    def has(self, uri: str, fingerprint: str, now: float) -> bool:
        """Tell whether somebody was called by that name and key within a day."""
        at = self._called.get((uri, fingerprint))
        return at is not None and now < at + DAY


@dataclass(frozen=True)
class NotingDirectory:
    """A `Directory` that tells who was found."""

    directory: Directory
    found: Callable[[Peer], None]

    async def resolve(self, uri: str) -> Peer:
        """See `Directory.resolve`."""
        peer = await self.directory.resolve(uri)
        self.found(peer)
        return peer
