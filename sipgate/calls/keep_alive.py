"""Keeps the dialog with a phone alive, and finds out when the phone is gone (RFC 4028)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from enum import Enum, auto
from typing import Any, TypeAlias

from sipgate.ports import Refusal
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response
from sipgate.protocol.session_timer import (
    MIN_SE,
    Agreement,
    Due,
    SessionTimer,
    agree_as_uac,
    agree_as_uas,
    in_request,
    in_response,
    min_se,
)

from .leg import Reply

MAX_INTERVAL = 86_400  # seconds: a phone that wants to be asked less than once a day is not asked to


class Outcome(Enum):
    """How a refresh went."""

    ALIVE = auto()
    LATER = auto()
    LOST = auto()


Refresh: TypeAlias = Callable[[], Awaitable[Outcome]]
Lost: TypeAlias = Callable[[], Awaitable[None]]


class KeepAlive:
    """An `interval` of 0: nobody is watched."""

    def __init__(self, interval: int) -> None:
        self._timer = SessionTimer()
        self._news = asyncio.Event()
        self._run = 0
        self.agreement = Agreement(interval)

    @property
    def is_on(self) -> bool:
        """Tell whether the other side is watched at all."""
        return self.agreement.interval > 0

    # -- what the messages say

    def ask(self, request: Request) -> None:
        """Put our wish on an INVITE or UPDATE of ours."""
        if self.is_on:
            for name, value in in_request(self.agreement):
                request.headers.add(name, value)

    def agreed(self, response: Response) -> None:
        """Take what a 2xx to it says; one that cannot be read says nothing."""
        if self.is_on:
            with suppress(SipError):
                self.agreement = agree_as_uac(response, self.agreement)
            self._begin()

    def accept(self, request: Request, response: Response) -> None:
        """Put on a 2xx of ours what is agreed by it."""
        if self.is_on:
            self.agreement = agree_as_uas(request, self.agreement, self._least)
            for name, value in in_response(self.agreement):
                response.headers.add(name, value)
            self._begin()

    def check(self, request: Request) -> None:
        """Raise `Refusal` 422 for an interval that is too small, `SipError` for one that cannot be read."""
        if self.is_on:
            check_interval(request, self._least)

    def raise_to(self, response: Response) -> bool:
        """Take the Min-SE of a 422; tell whether there is any use in asking again."""
        least = min_se(response) if self.is_on else 0
        if not self.agreement.interval < least <= MAX_INTERVAL:
            return False
        self.agreement = Agreement(least)
        return True

    @property
    def _least(self) -> int:
        return min(MIN_SE, self.agreement.interval)

    # -- the watch

    def _begin(self) -> None:
        self._timer.begin(self.agreement, _now())
        self._news.set()

    def stop(self) -> None:
        """The dialog is over."""
        self._timer.stop()
        self._run += 1
        self._news.set()

    def run(self, refresh: Refresh, lost: Lost) -> Coroutine[Any, Any, None]:
        """Return what watches until the other side is lost, `stop` is called, or another watch begins.

        `refresh` asks the phone; `lost` is told once when it is gone.
        """
        self._run += 1
        self._news.set()
        return self._watch(self._run, refresh, lost)

    async def _watch(self, run: int, refresh: Refresh, lost: Lost) -> None:
        while run == self._run:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._timer.wake_at):
                    await self._news.wait()
            due = self._timer.wake(_now()) if run == self._run else None
            if due is Due.REFRESH and await self._asked(refresh) is not Outcome.LOST:
                continue
            if due is not None:
                await lost()
                return

    async def _asked(self, refresh: Refresh) -> Outcome:
        outcome = await refresh()
        if outcome is Outcome.ALIVE:
            self._begin()
        elif outcome is Outcome.LATER:
            self._timer.put_off(_now())
        return outcome


def check_interval(request: Request, least: int = MIN_SE) -> None:
    """Raise `Refusal` 422 for a phone that wants to be refreshed too often; `SipError`."""
    try:
        agree_as_uas(request, Agreement(least), least)
    except SipError as error:
        if error.status != 422:
            raise
        raise Refusal(422, "This phone wants to be asked too often whether it is still there") from None


def _now() -> float:
    return asyncio.get_running_loop().time()


def outcome_of(reply: Reply, agreement: Agreement) -> Outcome:
    """Return what an answer to a refresh means: any to OPTIONS but a fault shows that the phone is there."""
    if reply.is_gone:
        return Outcome.LOST
    is_alive = reply.is_success or (not agreement.has_timer and reply.status < 500)
    return Outcome.ALIVE if is_alive else Outcome.LATER
