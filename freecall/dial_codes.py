"""Star codes: what a user changes or asks by dialling it on a phone, and hears answered in strokes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sipgate.ports import Refusal, Service

from .call_settings import CallSettings
from .errors import FreeCallError
from .events import Event, EventLog
from .mesh_media import MediaService
from .mesh_uri import DIAL_CODES, canonical

LEAD = bytes(2 * 12_000)  # 1.5 s of silence at 8 kHz: nothing is heard until the call is confirmed
TIMES_TOLD = 2

Order = Callable[[], bool]
"""Does what a code says; returns whether it could."""


class LastCall:
    """Whether the last call with somebody else was verified."""

    def __init__(self) -> None:
        self.is_signed = False

    def observe(self, event: Event) -> None:
        """Take in what happens to calls."""
        if event.name == "call_started" and event["trust"] != "self":
            self.is_signed = False
        elif event.name == "call_secured" and event["trust"] != "self":
            self.is_signed = bool(event["signed"])


def dial_codes(
    settings: CallSettings, last: LastCall, block_last_caller: Callable[[], Any], log: EventLog
) -> dict[str, Callable[[], Service]]:
    """Return what answers under the address of each code in `DIAL_CODES`."""

    def changed(**changes: bool) -> Order:
        return lambda: settings.change(changes) is not None

    orders: dict[str, Order] = {
        "*43": changed(call_waiting=True),
        "*44": changed(call_waiting=False),
        "*60": lambda: block_last_caller() is not None,
        "*78": changed(do_not_disturb=True),
        "*79": changed(do_not_disturb=False),
        "*86": lambda: last.is_signed,
    }
    assert orders.keys() == set(DIAL_CODES)
    return {canonical(code): partial(_answer, code, order, log) for code, order in orders.items()}


def _answer(code: str, order: Order, log: EventLog) -> Service:
    from media.protocol.strokes import NO, YES
    from media.softphone import WavPhone

    try:
        done = order()
    except FreeCallError as error:
        log.emit("warning", text=f"{code}: {error}")
        done = False
    except Refusal as refusal:
        log.emit("warning", text=f"{code}: {refusal.reason}")
        done = False
    log.emit("dial_code", code=code, done=done)
    return MediaService(WavPhone((LEAD + (YES if done else NO)) * TIMES_TOLD))
