"""A phone that subscribes and publishes, exactly as told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from sipgate.protocol import pidf
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.message import Request, Response, reply
from sipgate.protocol.pidf import Presence
from sipgate.protocol.subscription import SubscriptionState
from sipgate.server_transaction import ServerTransaction
from tests.kit.sip_phone import PATIENCE, SipPhone

PRESENCE = "presence"
MESSAGES = "message-summary"


def state_of(notify: Request) -> SubscriptionState:
    """Return the Subscription-State."""
    return SubscriptionState.parse(notify.headers.get("Subscription-State") or "")


def document(*, is_open: bool, note: str = "") -> bytes:
    """Return what a phone publishes."""
    return pidf.compose("sip:somebody@mesh", Presence(is_open, note))


@dataclass(eq=False)
class Subscription:
    """A subscription of the phone; `status` answers its NOTIFYs."""

    phone: EventPhone
    call_id: str
    response: Response | None = None
    dialog: Dialog | None = None
    status: int = 200
    told: list[Request] = field(default_factory=list)
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, transaction: ServerTransaction) -> None:
        await transaction.respond(reply(transaction.request, self.status, tag="p"))
        async with self.news:
            self.told.append(transaction.request)
            self.news.notify_all()

    async def until(self, value: str, text: bytes = b"") -> Request:
        """Wait for a NOTIFY with this state that has this in its body; forget those before it."""
        async with asyncio.timeout(PATIENCE), self.news:
            while True:
                for index, notify in enumerate(self.told):
                    if state_of(notify).value == value and text in notify.body:
                        del self.told[: index + 1]
                        return notify
                await self.news.wait()

    async def again(self, expires: int) -> Response:
        """Refresh, or end it with 0."""
        assert self.dialog is not None
        request = self.dialog.make_request("SUBSCRIBE")
        for name, value in (
            ("Contact", self.phone.contact),
            ("Event", self.told_event),
            ("Expires", str(expires)),
        ):
            request.headers.add(name, value)
        async with asyncio.timeout(PATIENCE):
            return await self.phone.endpoint.request(request, self.phone.hop).final()

    @property
    def told_event(self) -> str:
        assert self.response is not None
        return self.phone.events[self.call_id]


class EventPhone(SipPhone):
    """The phone; `unasked` are NOTIFYs that belong to no subscription of it."""

    def __init__(self, user: str, server: int) -> None:
        super().__init__(user, server)
        self.subscriptions: dict[str, Subscription] = {}
        self.events: dict[str, str] = {}
        self.unasked: asyncio.Queue[Request] = asyncio.Queue()

    async def subscribe(self, uri: str, event: str = PRESENCE, expires: int | None = 600) -> Subscription:
        """Subscribe; the response is in the subscription, whatever it is."""
        request = self.request("SUBSCRIBE", uri)
        request.headers.add("Event", event)
        if expires is not None:
            request.headers.add("Expires", str(expires))
        made = self.subscriptions[request.call_id] = Subscription(self, request.call_id)
        self.events[request.call_id] = event
        made.response = await self.send(request)
        if made.response.status < 300:
            request.headers.set("CSeq", f"{self._cseq} SUBSCRIBE")
            made.dialog = Dialog.as_uac(request, made.response)
        return made

    async def publish(
        self, body: bytes = b"", match: str | None = None, expires: int | None = 600, uri: str | None = None
    ) -> Response:
        """Publish presence."""
        request = self.request("PUBLISH", uri or f"sip:{self.user}@mesh")
        request.headers.add("Event", PRESENCE)
        if match is not None:
            request.headers.add("SIP-If-Match", match)
        if expires is not None:
            request.headers.add("Expires", str(expires))
        if body:
            request.set_body(pidf.CONTENT_TYPE, body)
        return await self.send(request)

    async def _take(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        if request.method != "NOTIFY":
            await super()._take(transaction)
        elif request.to.tag is not None and request.call_id in self.subscriptions:
            await self.subscriptions[request.call_id].take(transaction)
        else:
            await transaction.respond(reply(request, 200, tag="p"))
            self.unasked.put_nowait(request)
