"""The users that every node has for trying phones: echo@, time@, busy@, decline@ and noanswer@."""

import asyncio
import datetime
from collections.abc import Callable, Iterable
from functools import partial

from sipgate.ports import MediaRefused, Refusal, Service

from .mesh_media import MediaService
from .mesh_uri import SERVICE_NAMES, canonical

ECHO, TIME, BUSY, DECLINE, NO_ANSWER = map(canonical, SERVICE_NAMES)
SERVICES = frozenset({ECHO, TIME, BUSY, DECLINE, NO_ANSWER})
TIMES_TOLD = 3
LEAD = bytes(2 * 12_000)  # 1.5 s of silence at 8 kHz: nothing is heard until the call is confirmed

Make = Callable[[], Service]


def services(clock: Callable[[], float], answered_by_echo: Iterable[str] = ()) -> dict[str, Make]:
    """Return what answers under each service's URI, and the echo for some more. `clock` gives Unix seconds."""
    made: dict[str, Make] = {
        ECHO: _echo,
        TIME: partial(_time, clock),
        BUSY: partial(_refuse, 486, "busy@mesh is always busy"),
        DECLINE: partial(_refuse, 603, "decline@mesh declines every call"),
        NO_ANSWER: NoAnswer,
    }
    return made | dict.fromkeys(answered_by_echo, _echo)


def _echo() -> Service:
    from media.softphone import EchoPhone

    return MediaService(EchoPhone())


def _time(clock: Callable[[], float]) -> Service:
    from media.protocol.strokes import strokes
    from media.softphone import WavPhone

    now = datetime.datetime.fromtimestamp(clock(), datetime.UTC).astimezone()
    return MediaService(WavPhone((LEAD + strokes(now.hour, now.minute)) * TIMES_TOLD))


def _refuse(status: int, reason: str) -> Service:
    raise Refusal(status, reason)


class NoAnswer:
    """Rings until the caller gives up, or the ringing takes too long."""

    def __init__(self) -> None:
        self._over = asyncio.Event()

    async def offer(self) -> bytes:
        """It places no calls."""
        raise MediaRefused

    async def answer(self, offer: bytes) -> bytes:  # noqa: ARG002 - whatever it is
        """Wait until the call is over, and raise `MediaRefused`."""
        await self._over.wait()
        raise MediaRefused(487, "Nobody answered")

    async def answered(self, answer: bytes) -> None:
        """It places no calls."""

    async def aclose(self) -> None:
        """The caller has given up."""
        self._over.set()
