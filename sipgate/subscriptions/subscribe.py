"""Our node's subscription to the presence of somebody at another node, over the mesh leg."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from sipgate.addresses import our_address_towards
from sipgate.calls.content import DELEGATION, OPENPGP
from sipgate.calls.line import MeshLine, hops_to
from sipgate.calls.node import Node
from sipgate.calls.refusal import not_done, refuse
from sipgate.calls.sending import Sending
from sipgate.ports import LocalUser, Peer, Refusal
from sipgate.protocol import multipart, pidf
from sipgate.protocol.dialog import Dialog
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response, reply
from sipgate.protocol.pidf import Presence
from sipgate.protocol.subscriber import Action, Input, State, step
from sipgate.protocol.subscription import SubscriptionState
from sipgate.server_transaction import ServerTransaction

from .notify import NO_SUBSCRIPTION, event_of

PRESENCE = "presence"
TIMER_N = 32.0  # seconds to wait for the first NOTIFY: 64*T1
LOOK = 5.0  # seconds between looks whether the connection still stands
PATIENCE = 2.0  # seconds for the last SUBSCRIBE
_STATES = {"pending": Input.NOTIFY_PENDING, "terminated": Input.NOTIFY_TERMINATED}


class Subscriber:
    """Subscribes to `target` at the node of `peer`, for `user`. Raises `Refusal` 480 when nobody knows where it is.

    `tell` is called with each presence that is told, None while the other side keeps it back.
    """

    def __init__(
        self, node: Node, user: LocalUser, peer: Peer, target: str, tell: Callable[[Presence | None], None]
    ) -> None:
        hops = hops_to(peer.node_public_key, peer.endpoints)
        if not hops:
            raise Refusal(480, "This person is known, but away now")
        contact = node.mesh_contact(user.uri, our_address_towards(hops[0].host))
        self.line = MeshLine(node.sender, contact, node.identity, peer.node_public_key, hops)
        self.state = State.SUBSCRIBING
        self.status = 0  # of the final response that ended it
        self._node = node
        self._user = user
        self._target = target
        self._tell = tell
        self._call_id, self._tag = node.token(), node.token()
        self._dialog: Dialog | None = None
        self._presence: Presence | None = None
        self._lasts = node.limits.mesh_subscription
        self._refresh_at = self._expires_at = self._first_notify_by = node.clock() + TIMER_N
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Subscribe, and keep it up until it ends on either side."""
        self._node.dialogs.enter(self._call_id, self._tag, self)
        try:
            await self._subscribe(self._first())
            while self.state is not State.TERMINATED:
                await self._wait()
                await self._look()
        finally:
            self._node.dialogs.leave(self._call_id, self._tag)

    async def leave(self) -> None:
        """End it from here; returns when the other side has heard it, or after a moment."""
        if Action.UNSUBSCRIBE in self._take(Input.LEFT) and self._dialog is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._send(self._again(self._dialog, 0))

    # -- what we send

    async def _wait(self) -> None:
        now = self._node.clock()
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout_at(min(now + LOOK, self._refresh_at)):
                await self._news.wait()

    async def _look(self) -> None:
        """See whether something is due."""
        now = self._node.clock()
        if self.state is State.NOTIFY_WAIT and now >= self._first_notify_by:
            self._take(Input.TIMER_N)
        elif now >= self._expires_at:
            self._take(Input.EXPIRED)
        elif self._dialog is not None and self.state is not State.TERMINATED:
            flow = self.line.flow
            if now >= self._refresh_at or (flow is not None and flow.is_closed):
                await self._subscribe(self._again(self._dialog, self._lasts))

    async def _subscribe(self, request: Request) -> None:
        response = await self._send(request)
        if not 200 <= response.status < 300:
            self.status = response.status
            self._take(Input.REFUSED)
            return
        if self._dialog is None:
            try:
                self._dialog = Dialog.as_uac(request, response)
            except SipError:
                self._take(Input.REFUSED)
                return
        lasts = min(self._lasts, response.expires or self._lasts)
        now = self._node.clock()
        self._refresh_at, self._expires_at = now + lasts / 2, now + lasts
        self._first_notify_by = now + TIMER_N
        self._take(Input.ACCEPTED)

    async def _send(self, request: Request) -> Response:
        self.line.seal(request)
        sending = Sending(self.line.sender, request, self.line.ways())
        response = await sending.final()
        self.line.learn(sending.way)
        return response

    def _first(self) -> Request:
        """Return the first SUBSCRIBE: it carries who asks, as an INVITE does."""
        request = Request("SUBSCRIBE", self._target)
        for name, value in (
            ("Max-Forwards", "70"),
            ("From", f"<{self._user.uri}>;tag={self._tag}"),
            ("To", f"<{self._target}>"),
            ("Call-ID", self._call_id),
            ("CSeq", "1 SUBSCRIBE"),
        ):
            request.headers.add(name, value)
        self._complete(request, self._lasts)
        who = [(OPENPGP, self._user.openpgp_key), (DELEGATION, self._user.delegation)]
        request.set_body(*multipart.build(who))
        return request

    def _again(self, dialog: Dialog, lasts: int) -> Request:
        request = dialog.make_request("SUBSCRIBE")
        self._complete(request, lasts)
        return request

    def _complete(self, request: Request, lasts: int) -> None:
        request.headers.add("Contact", self.line.contact)
        request.headers.add("Event", PRESENCE)
        request.headers.add("Accept", pidf.CONTENT_TYPE)
        request.headers.add("Expires", str(lasts))

    # -- what comes

    async def receive(self, transaction: ServerTransaction) -> None:
        """Answer a NOTIFY."""
        request = transaction.request
        try:
            self.line.admit(request, transaction.flow)
            given, presence = self._read(request)
        except Refusal as refusal:
            await transaction.respond(refuse(request, refusal))
            return
        await transaction.respond(reply(request, 200))
        if presence is not None:
            self._presence = presence
        self._take(given)

    def _read(self, request: Request) -> tuple[Input, Presence | None]:
        """Return what a NOTIFY says; raise `Refusal` or `SipError`."""
        if request.method != "NOTIFY":
            raise not_done(request.method)
        if event_of(request).package != PRESENCE:
            raise Refusal(489, NO_SUBSCRIPTION)
        state = SubscriptionState.parse(request.headers.get("Subscription-State") or "")
        self._check_order(request)
        if state.expires is not None:
            self._expires_at = min(self._expires_at, self._node.clock() + state.expires)
        return _STATES.get(state.value, Input.NOTIFY_ACTIVE), presence_of(request)

    def _check_order(self, request: Request) -> None:
        """A NOTIFY may come before the answer to the SUBSCRIBE: then it makes the dialog (RFC 6665 4.4.1)."""
        if self.state is State.TERMINATED:
            raise Refusal(481, NO_SUBSCRIPTION)
        if self._dialog is None:
            self._dialog = Dialog.as_uas(request, self._tag)
            self._dialog.local_seq = 1
        elif not self._dialog.belongs(request):
            raise Refusal(481, NO_SUBSCRIPTION)
        elif not self._dialog.accepts(request):
            raise Refusal(500, "A later request is in already")

    def _take(self, given: Input) -> tuple[Action, ...]:
        self.state, actions = step(self.state, given)
        if Action.TELL_PENDING in actions:
            self._tell(None)
        elif Action.TELL_STATE in actions:
            self._tell(self._presence or Presence(is_open=False))
        self._news.set()
        return actions


def presence_of(request: Request) -> Presence | None:
    """Return what a body says, None without one; raise `Refusal` 415 for another type, `SipError` when malformed."""
    if not request.body:
        return None
    content_type = request.content_type
    if content_type is None or content_type.essence != pidf.CONTENT_TYPE:
        raise Refusal(415, f"Presence comes as {pidf.CONTENT_TYPE}")
    return pidf.parse(request.body)
