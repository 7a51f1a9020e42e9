"""REFER in one dialog, both ways, and the NOTIFYs that tell what became of it (RFC 3515, implicit subscription)."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from sipgate.ports import Refusal
from sipgate.protocol import sipfrag
from sipgate.protocol.message import Request, Response, reply
from sipgate.protocol.refer import Refer

from .cause import plain
from .leg import Reply
from .refusal import ALLOW

PATIENCE = 5.0  # seconds: a party that no longer answers must not hold the transfer up
LASTS = 240  # seconds that we promise to report; a target rings at most 180
FINAL = 200
EVENT = "refer"


class Asking(Protocol):
    """The dialog, as far as this is concerned."""

    def next_request(self, method: str) -> Request | None:
        """Return the next request in the dialog, None when that has ended."""
        ...

    async def ask(self, request: Request) -> Reply:
        """Send it."""
        ...


@dataclass
class Referring:
    """The REFERs of one dialog."""

    contact: str
    _is_reporting: bool = False  # the other side waits for NOTIFYs of ours
    _is_waiting: bool = False  # we wait for its
    _order: asyncio.Lock = field(default_factory=asyncio.Lock)

    # -- asked by the other side

    def accept(self, request: Request, refer: Refer) -> Response:
        """Return the 202; what becomes of it follows, if it is wanted."""
        response = reply(request, 202)
        response.headers.add("Contact", self.contact)
        if not refer.wants_reports:
            response.headers.add("Refer-Sub", "false")
        self._is_reporting = refer.wants_reports
        return response

    async def report(self, dialog: Asking, status: int, text: str) -> None:
        """Send a NOTIFY: the last one from 200 on."""
        async with self._order:
            notify = dialog.next_request("NOTIFY") if self._is_reporting else None
            if notify is None:
                return
            is_final = status >= FINAL
            self._is_reporting = not is_final
            state = "terminated;reason=noresource" if is_final else f"active;expires={LASTS}"
            for name, value in (
                ("Contact", self.contact),
                ("Allow", ALLOW),
                ("Event", EVENT),
                ("Subscription-State", state),
            ):
                notify.headers.add(name, value)
            notify.set_body(sipfrag.CONTENT_TYPE, sipfrag.build(status, plain(text, sipfrag.MAX_PHRASE)))
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await dialog.ask(notify)

    # -- asking the other side

    async def refer(self, dialog: Asking, refer: Refer, by: str) -> Reply:
        """Send REFER; return what is answered."""
        request = dialog.next_request("REFER")
        if request is None:
            return Reply(481, "No such call")
        request.headers.set("Max-Forwards", str(refer.max_forwards))
        request.headers.add("Contact", self.contact)
        request.headers.add("Refer-To", refer.refer_to())
        request.headers.add("Referred-By", f"<{by}>")
        self._is_waiting = True
        answer = await dialog.ask(request)
        self._is_waiting = self._is_waiting and answer.is_success
        return answer

    def take(self, notify: Request) -> tuple[int, str]:
        """Return what a NOTIFY reports; raise `Refusal` for one that we do not wait for, `SipError`."""
        if (notify.headers.get("Event") or "").partition(";")[0].strip().lower() != EVENT:
            raise Refusal(489, "This call reports only what became of a transfer")
        if not self._is_waiting:
            raise Refusal(481, "Nobody here waits for this")
        status, phrase = sipfrag.parse(notify.body)
        state = (notify.headers.get("Subscription-State") or "").partition(";")[0].strip().lower()
        if status < FINAL and state == "terminated":
            status, phrase = 480, "The other side no longer reports"
        self._is_waiting = status < FINAL
        return status, plain(phrase, sipfrag.MAX_PHRASE)
