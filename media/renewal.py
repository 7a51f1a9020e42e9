"""When the peer is to be told our transports anew, and what a person hears of a path that was lost."""

import asyncio
from collections import deque
from collections.abc import Callable

from .errors import MediaRefused
from .events import MediaEvent, MediaPath, PathState
from .mesh_leg import MeshLeg
from .protocol.path_watch import Action
from .section import Sections

MAX_RENEWALS, RENEWALS_SECONDS = 20, 10.0
"""So many changes of the peer's in so long: each one's checks go where it says."""

HOPELESS_SECONDS = 3.0
"""So long new transports are offered though the peer is heard: the exchange would only have been a courtesy."""


class Renewal:
    """Joins what the watches of all sections of one call find."""

    def __init__(self, call_id: str, sections: Sections, on_event: Callable[[MediaEvent], None]) -> None:
        self._call_id = call_id
        self._sections = sections
        self._on_event = on_event
        self._due = asyncio.Event()
        self._until = 0.0
        self._lost: set[MeshLeg] = set()
        self._is_told = False
        self._admitted: deque[float] = deque(maxlen=MAX_RENEWALS)

    def admit(self) -> None:
        """Note a change of the peer's; raise `MediaRefused` 503 when there are too many."""
        now = asyncio.get_running_loop().time()
        if len(self._admitted) == MAX_RENEWALS and now - self._admitted[0] < RENEWALS_SECONDS:
            raise MediaRefused("The other node changes its transport too often", status=503)
        self._admitted.append(now)

    def take(self, leg: MeshLeg, action: Action) -> None:
        """Take what a leg's watch has found; of a section that is off, nothing counts."""
        was_lost = self._is_lost
        match action:
            case Action.TELL_LOST:
                self._lost.add(leg)
            case Action.TELL_FOUND:
                self._lost.discard(leg)
            case Action.RENEW if leg in self._live():
                self.ask()
        if self._is_lost and not was_lost:
            self._tell("lost")
        elif was_lost and not self._is_lost and leg.path is not None:
            self._is_told = False
            self._tell("restored", leg.path.gap)

    def _live(self) -> list[MeshLeg]:
        return [section.mesh for _, section in self._sections.live()]

    @property
    def _is_lost(self) -> bool:
        return any(leg in self._lost for leg in self._live())

    def ask(self) -> None:
        """Let new transports be exchanged."""
        self._until = asyncio.get_running_loop().time() + HOPELESS_SECONDS
        self._due.set()

    def settle(self) -> None:
        """Note it if the peer knows our new transports, and we its."""
        if not self._sections.are_connected or self._sections.are_renewing:
            return
        self._due.clear()
        for leg in self._live():
            if leg.path is not None:
                leg.path.renewed()
        if self._is_lost and not self._is_told:
            self._is_told = True
            self._tell("repairing")

    async def due(self) -> None:
        """Wait until new transports are to be exchanged, and prepare them; not before the first ones have served."""
        while True:
            await self._due.wait()
            is_wanted = self._is_lost or asyncio.get_running_loop().time() < self._until
            if is_wanted and self._sections.are_connected:
                break
            self._due.clear()
        for leg in self._live():
            leg.ice.prepare_restart()

    def _tell(self, state: PathState, gap: float | None = None) -> None:
        self._on_event(MediaPath(self._call_id, state, None if gap is None else gap * 1000))
