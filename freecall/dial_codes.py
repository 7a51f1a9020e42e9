"""Star codes: what a user changes or asks by dialling it on a phone, and hears answered in strokes."""

from collections.abc import Callable
from functools import partial
from typing import Any

from sipgate.ports import Refusal, Service

from .call_settings import CallSettings
from .errors import FreeCallError
from .events import Event, EventLog
from .mesh_media import MediaService
from .mesh_uri import CODES_WITH_NAME, DIAL_CODES, dial_code_of

LEAD = bytes(2 * 12_000)  # 1.5 s of silence at 8 kHz: nothing is heard until the call is confirmed
TIMES_TOLD = 2
FORWARDING = {
    "*72": "forward_always",
    "*90": "forward_busy",
    "*92": "forward_no_answer",
    "*94": "forward_away",
}
"""What a code forwards to the name behind it; the next odd code ends it."""

Order = Callable[[str], bool]
"""Does what a code says, with the name behind it; returns whether it could."""


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


class DialCodes:
    """Answers calls to the addresses of `DIAL_CODES` and `CODES_WITH_NAME`."""

    def __init__(
        self, settings: CallSettings, last: LastCall, block_last_caller: Callable[[], Any], log: EventLog
    ) -> None:
        self._log = log

        def changed(**changes: bool | str) -> Order:
            return lambda _: settings.change(changes) is not None

        def forwarded(setting: str) -> Order:
            return lambda whom: settings.change({setting: whom}) is not None

        self._orders: dict[str, Order] = {
            "*43": changed(call_waiting=True),
            "*44": changed(call_waiting=False),
            "*60": lambda _: block_last_caller() is not None,
            "*78": changed(do_not_disturb=True),
            "*79": changed(do_not_disturb=False),
            "*86": lambda _: last.is_signed,
            **{code: forwarded(setting) for code, setting in FORWARDING.items()},
            **{f"*{int(code[1:]) + 1}": changed(**{setting: ""}) for code, setting in FORWARDING.items()},
        }
        assert self._orders.keys() == {*DIAL_CODES, *CODES_WITH_NAME}

    def service_for(self, uri: str) -> Callable[[], Service] | None:
        """Return what makes the service that answers under a canonical mesh URI; None when it is no code."""
        dialled = dial_code_of(uri)
        if dialled is None or dialled[0] not in (CODES_WITH_NAME if dialled[1] else DIAL_CODES):
            return None
        return partial(self._answer, *dialled)

    def _answer(self, code: str, whom: str) -> Service:
        from media.protocol.strokes import NO, YES
        from media.softphone import WavPhone

        try:
            done = self._orders[code](whom)
        except FreeCallError as error:
            self._log.emit("warning", text=f"{code}: {error}")
            done = False
        except Refusal as refusal:
            self._log.emit("warning", text=f"{code}: {refusal.reason}")
            done = False
        self._log.emit("dial_code", code=code, done=done)
        return MediaService(WavPhone((LEAD + (YES if done else NO)) * TIMES_TOLD))
