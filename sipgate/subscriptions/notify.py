"""One subscription of a phone or node to something of ours: NOTIFY when it changes, until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from sipgate.calls.line import Line
from sipgate.calls.node import Node
from sipgate.calls.refusal import not_done, refuse
from sipgate.calls.sending import Sending
from sipgate.ports import Refusal
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.message import Request, Response, reply
from sipgate.protocol.notifier import Action, Input, State, step
from sipgate.protocol.subscription import EventType, SubscriptionState
from sipgate.server_transaction import ServerTransaction

from .resource import Resource

NO_SUBSCRIPTION = "No such subscription"


class Notifier:
    """The subscription that `request` asks for; it lasts at most `longest` seconds unless refreshed.

    `allowed` is asked at each refresh, and raises `Refusal` when the subscriber may see it no longer.
    NOTIFYs go one after the other, `pause` seconds apart at least; what changes in between is told together.
    """

    def __init__(
        self,
        node: Node,
        request: Request,
        dialog: Dialog,
        line: Line,
        resource: Resource,
        longest: int,
        allowed: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self.line = line
        self.event = event_of(request)
        self.state = State.PENDING
        self._node = node
        self._resource = resource
        self._longest = longest
        self._allowed = allowed
        self._pause = node.limits.notify_pause
        self._dialog = dialog
        self._lasts = asked_seconds(request, longest)
        self._expires_at = node.clock() + self._lasts
        self._owes = True
        self._reason = ""
        self._news = asyncio.Event()
        node.dialogs.enter(self._dialog.call_id, self._dialog.local_tag, self)

    def accepted(self, request: Request) -> Response:
        """Return the 200 to a SUBSCRIBE."""
        response = reply(request, 200, tag=self._dialog.local_tag)
        response.headers.add("Contact", self.line.contact)
        response.headers.add("Expires", str(self._lasts))
        return response

    async def run(self) -> None:
        """Notify until the subscription ends; the first NOTIFY goes out at once."""
        leave = self._resource.join(self._changed)
        try:
            self._changed()
            if self._lasts == 0:
                self._take(Input.EXPIRED)
            while self._owes or self.state is not State.TERMINATED:
                if self._owes:
                    await self._notify()
                    await self._wait(self._node.clock() + self._pause, until=State.TERMINATED)
                else:
                    await self._wait(self._expires_at)
        finally:
            leave()
            self.state = State.TERMINATED
            self._node.dialogs.leave(self._dialog.call_id, self._dialog.local_tag)

    def stop(self, reason: str = "deactivated") -> None:
        """End the subscription, with a last NOTIFY that gives one of the reasons of RFC 6665 4.1.3."""
        self._reason = reason
        self._take(Input.STOPPED)

    def drop(self) -> None:
        """End the subscription without a word: its subscriber has a newer one."""
        self._take(Input.NOTIFY_FAILED)

    async def receive(self, transaction: ServerTransaction) -> None:
        """Answer a request inside the dialog: a refresh, or the end."""
        request = transaction.request
        try:
            self.line.admit(request, transaction.flow)
            lasts = self._asked(request)
            await self._check_allowed()
        except Refusal as refusal:
            await transaction.respond(refuse(request, refusal))
            return
        self._lasts = lasts
        self._expires_at = self._node.clock() + lasts
        await transaction.respond(self.accepted(request))
        self._take(Input.REFRESHED if lasts else Input.UNSUBSCRIBED)

    async def _check_allowed(self) -> None:
        if self._allowed is not None:
            try:
                await self._allowed()
            except Refusal:
                self.stop("rejected")
                raise

    def _asked(self, request: Request) -> int:
        if self.state is State.TERMINATED or not self._dialog.belongs(request):
            raise Refusal(481, NO_SUBSCRIPTION)
        if not self._dialog.accepts(request):
            raise Refusal(500, "A later request is in already")
        if request.method != "SUBSCRIBE":
            raise not_done(request.method)
        if event_of(request) != self.event:
            raise Refusal(481, NO_SUBSCRIPTION)
        return asked_seconds(request, self._longest)

    # -- what happens

    def _changed(self) -> None:
        if self._resource.view().is_granted:
            if self.state is State.ACTIVE:
                self._take(Input.CHANGED)
            else:
                self._take(Input.GRANTED)
        else:
            self._take(Input.WITHDRAWN)

    def _take(self, given: Input) -> None:
        before = self.state
        self.state, actions = step(before, given)
        if before is not State.TERMINATED and self.state is State.TERMINATED:
            self._owes = False
        self._owes |= Action.NOTIFY in actions
        self._news.set()

    async def _wait(self, due: float, until: State | None = None) -> None:
        """Wait for news, or for a time; with `until` for that state, or for the time."""
        try:
            async with asyncio.timeout_at(due):
                while True:
                    self._news.clear()
                    if until is not None and self.state is until:
                        return
                    await self._news.wait()
                    if until is None:
                        return
        except TimeoutError:
            if self._node.clock() >= self._expires_at:
                self._take(Input.EXPIRED)

    async def _notify(self) -> None:
        self._owes = False
        request = self._request()
        self.line.seal(request)
        sending = Sending(self.line.sender, request, self.line.ways())
        response = await sending.final()
        self.line.learn(sending.way)
        if response.status >= 300:
            self._take(Input.NOTIFY_FAILED)

    def _request(self) -> Request:
        request = self._dialog.make_request("NOTIFY")
        request.headers.add("Contact", self.line.contact)
        request.headers.add("Event", str(self.event))
        request.headers.add("Subscription-State", str(self._subscription_state()))
        view = self._resource.view()
        request.set_body(view.content_type, view.body)
        return request

    def _subscription_state(self) -> SubscriptionState:
        if self.state is State.TERMINATED:
            return SubscriptionState("terminated", reason=self._reason or "timeout")
        left = max(1, round(self._expires_at - self._node.clock()))
        return SubscriptionState("active" if self.state is State.ACTIVE else "pending", left)


def event_of(request: Request) -> EventType:
    """Return what a request is about; raise `Refusal` 489 without an Event, `SipError` when it is malformed."""
    value = request.headers.get("Event")
    if value is None:
        raise Refusal(489, "The request does not say what it is about")
    return EventType.parse(value)


def asked_seconds(request: Request, longest: int) -> int:
    """Return how long a subscription or publication will last, 0 for its end."""
    return longest if request.expires is None else min(request.expires, longest)
