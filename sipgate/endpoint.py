"""The SIP endpoint: sockets, connections and transactions behind one small interface.

A thin driver. What to send and whom to tell is decided in `protocol/transaction_layer.py`; here the events
are carried out, the one timer is kept, and each request gets a task of its own.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from .client_transaction import ClientTransaction
from .connections import ConnectionCounters
from .flows import Flows, response_flow
from .protocol.errors import SipError
from .protocol.message import Request, Response, parse_message, reply
from .protocol.salvage import salvage
from .protocol.timers import TimerValues
from .protocol.transaction import Transaction
from .protocol.transaction_events import (
    Acknowledged,
    Cancelled,
    Cause,
    Ended,
    Event,
    Failed,
    Received,
    Responded,
    Send,
    Unacknowledged,
)
from .protocol.transaction_keys import stateless_tag
from .protocol.transaction_layer import Counters, TransactionLayer
from .protocol.transaction_room import TransactionLimits
from .protocol.via_rules import note_source, response_port
from .server_transaction import ServerTransaction
from .server_transaction import Unacknowledged as UnacknowledgedError
from .stream import StreamFlow
from .supervision import Supervise, in_the_group
from .transport import Address, Flow, FlowSide, Hop, TransportError, TransportLimits, is_reliable
from .vias import Vias

_STATUS: dict[Cause, int] = {"timeout": 408, "transport": 503, "cancelled": 487, "overload": 503}


@dataclass
class EndpointCounters:
    """What was dropped since the start, beside what the layers below count."""

    malformed: int = 0
    malformed_answered: int = 0
    undeliverable: int = 0


class Endpoint:
    """Sends and receives requests over UDP, TCP and TLS. An async context manager; leaving it frees all.

    `on_request` is called in a task of its own for each new request other than ACK and CANCEL; `supervise`
    starts these tasks and decides what becomes of one that fails. A request whose task fails before the final
    response is answered with 500, or with the status of the SipError that it failed with.
    """

    def __init__(
        self,
        *,
        on_request: Callable[[ServerTransaction], Awaitable[None]],
        clock: Callable[[], float] | None = None,
        token: Callable[[], str] = lambda: secrets.token_hex(12),
        supervise: Supervise = in_the_group,
        timers: TimerValues | None = None,
        limits: TransactionLimits | None = None,
        transport_limits: TransportLimits | None = None,
    ) -> None:
        self.counters = EndpointCounters()
        self._on_request = on_request
        self._clock = clock
        self._supervise = supervise
        self._layer: TransactionLayer[Flow] = TransactionLayer(timers=timers, limits=limits)
        self._vias = Vias(token)
        self._flows = Flows(self, self._vias, transport_limits or TransportLimits(), self._start_task)
        self.leave, self.pass_over = self._flows.connections.leave, self._flows.connections.pass_over
        self.is_connected = self._flows.connections.is_connected
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None
        self._is_open = False
        self._clients: dict[Transaction[Flow], ClientTransaction] = {}
        self._unsent: set[ClientTransaction] = set()
        self._servers: dict[Transaction[Flow], ServerTransaction] = {}

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cancelled = isinstance(error, asyncio.CancelledError)
        try:
            await self._close()
        finally:
            # A group that has failed cancels its owner: only that is for it to judge.
            await self._group.__aexit__(*((kind, error, trace) if cancelled else (None, None, None)))

    @property
    def transaction_counters(self) -> Counters:
        """What the transaction layer dropped or refused."""
        return self._layer.counters

    @property
    def connection_counters(self) -> ConnectionCounters:
        """What became of accepted connections."""
        return self._flows.connections.counters

    @property
    def transactions(self) -> int:
        """The number of transactions that are not over."""
        return len(self._layer)

    # Listening.

    async def listen_udp(self, host: str, port: int) -> int:
        """Listen at an IP literal and a port, 0 for a free one; return the port. Raises OSError."""
        return await self._flows.listen_udp(host, port)

    async def listen_tcp(self, host: str, port: int) -> int:
        """Listen at an IP literal and a port, 0 for a free one; return the port. Raises OSError."""
        return await self._flows.listen(host, port, None)

    async def listen_tls(self, host: str, port: int, context: ssl.SSLContext, side: FlowSide = "mesh") -> int:
        """Listen with a context from `tls`, for nodes or for phones; return the port. Raises OSError."""
        return await self._flows.listen(host, port, context, side)

    def stop_listening(self, port: int, side: FlowSide) -> None:
        """Take no more connections on that port for TLS, and close those that were taken there."""
        self._flows.connections.stop_listening(port, side)

    # Sending.

    def request(self, request: Request, to: Hop | Flow) -> ClientTransaction:
        """Send a request other than ACK; what becomes of it is told by the transaction that is returned.

        The top Via is added here, to a copy. A hop over TCP or TLS gets the connection that is open to it, or
        a new one. A request of more than 1,300 bytes to a hop or flow over UDP goes by TCP if the other side
        takes a connection there, unless it is on this machine (RFC 3261 18.1.1).
        """
        final: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        handle = ClientTransaction(request, self._cancel, final)
        if not self._is_open:
            self._fail(handle, "transport")
            return handle
        flow = self._flows.ready(request, to)
        if flow is not None:
            self._begin(handle, flow)
        else:
            self._unsent.add(handle)
            self._start_task(self._begin_when_connected(handle, to), "sip connect and send")
        return handle

    async def send_ack(self, ack: Request, to: Hop | Flow) -> None:
        """Send the ACK of a 2xx, outside of any transaction; what cannot be sent is counted: the 2xx comes again."""
        try:
            flow = self._flows.ready(ack, to) or await self._flows.find(to)
            flow.send(bytes(self._vias.add(ack, flow)))
        except TransportError:
            self.counters.undeliverable += 1

    async def _begin_when_connected(self, handle: ClientTransaction, to: Hop | Flow) -> None:
        try:
            flow = await self._flows.find(to)
        except TransportError:
            if handle in self._unsent:
                self._fail(handle, "transport")
            return
        if handle in self._unsent:
            self._begin(handle, flow)

    def _begin(self, handle: ClientTransaction, flow: Flow) -> None:
        self._unsent.discard(handle)
        handle.request = self._vias.add(handle.request, flow)
        transaction, events = self._layer.start_client(
            handle.request, flow, reliable=is_reliable(flow.transport), now=self._now()
        )
        handle.transaction = transaction
        self._clients[transaction] = handle
        self._perform(events)

    def _cancel(self, handle: ClientTransaction, headers: tuple[tuple[str, str], ...]) -> None:
        if handle in self._unsent:
            self._fail(handle, "cancelled")
        elif handle.transaction is not None:
            self._perform(self._layer.cancel(handle.transaction, headers, self._now()))

    def _fail(self, handle: ClientTransaction, cause: Cause) -> None:
        """End a client transaction with a response of our own."""
        self._unsent.discard(handle)
        handle.failure = cause
        handle.push(reply(handle.request, _STATUS[cause]))
        handle.end()

    # What the transports tell.

    def data_received(self, data: bytes, flow: Flow) -> None:
        """Take one whole message."""
        try:
            message = parse_message(data)
            if isinstance(message, Response):
                events = self._layer.receive_response(message, self._now())
            else:
                events = self._receive_request(message, flow)
        except SipError as error:
            self._answer_malformed(error, data, flow)
            return
        self._perform(events, flow)

    def malformed_received(self, error: SipError, flow: Flow) -> None:  # noqa: ARG002 - the Owner's signature
        """Count a stream that brought no SIP."""
        self.counters.malformed += 1

    def flow_closed(self, flow: Flow) -> None:
        """Fail what waits for a response on a connection that is gone."""
        if isinstance(flow, StreamFlow):
            self._flows.connections.forget(flow)
        for transaction in self._layer.clients():
            if transaction.path is flow and not transaction.has_final:
                self._perform(self._layer.transport_failed(transaction, self._now()))

    def unreachable(self, remote: Address) -> None:
        """Fail what waits for the first response of an address at which nobody receives."""
        for transaction in self._layer.clients():
            path = transaction.path
            if path.transport == "udp" and path.remote == remote and transaction.awaits_response:
                self._perform(self._layer.transport_failed(transaction, self._now()))

    def _receive_request(self, request: Request, flow: Flow) -> list[Event[Flow]]:
        if request.method != "ACK":  # there is no response to it
            note_source(request, *flow.remote)
        return self._layer.receive_request(
            request,
            response_flow(request, flow),
            reliable=is_reliable(flow.transport),
            source=flow.remote[0],
            now=self._now(),
            is_busy=self._flows.is_behind,
        )

    def _answer_malformed(self, error: SipError, data: bytes, flow: Flow) -> None:
        self.counters.malformed += 1
        request = salvage(data)
        if request is None or flow.is_closed:
            return
        note_source(request, *flow.remote)
        response = reply(request, error.status, error.reason, tag=stateless_tag(request))
        try:
            response_flow(request, flow).send(bytes(response))
            self.counters.malformed_answered += 1
        except TransportError:
            self.counters.undeliverable += 1

    # What the transaction layer wants.

    def _perform(self, events: list[Event[Flow]], origin: Flow | None = None) -> None:
        for event in events:
            if isinstance(event, Send):
                self._send(event)
            elif isinstance(event, Received):
                self._serve(event.transaction, origin or event.transaction.path)
            elif event.transaction in self._servers:
                self._tell_server(self._servers[event.transaction], event)
            elif event.transaction in self._clients:
                self._tell_client(self._clients[event.transaction], event)
        self._set_timer()

    def _send(self, event: Send[Flow]) -> None:
        transaction = event.transaction
        try:
            event.path.send(event.data)
        except TransportError:
            self.counters.undeliverable += 1
            if transaction is None:
                return
            if transaction.is_server and event.path.transport == "tcp":
                self._start_task(self._send_elsewhere(transaction, event.data), "sip response")
            else:
                self._perform(self._layer.transport_failed(transaction, self._now()))

    async def _send_elsewhere(self, transaction: Transaction[Flow], data: bytes) -> None:
        """Send a response whose connection is gone on a new one, to where the Via says (18.2.2)."""
        via = transaction.request.top_via
        hop = Hop("tcp", transaction.path.remote[0], response_port(via, via.port or 5060) or 5060)
        try:
            flow = await self._flows.connections.connect(hop)
            flow.send(data)
        except TransportError:
            self._perform(self._layer.transport_failed(transaction, self._now()))
        else:
            transaction.path = flow

    def _tell_client(self, handle: ClientTransaction, event: Event[Flow]) -> None:
        if isinstance(event, Responded):
            handle.push(event.response)
        elif isinstance(event, Failed):
            self._fail(handle, event.cause)
        elif isinstance(event, Ended):
            del self._clients[event.transaction]
            handle.end()

    def _tell_server(self, handle: ServerTransaction, event: Event[Flow]) -> None:
        acked = handle.acked
        if isinstance(event, Acknowledged) and not acked.done():
            acked.set_result(event.ack)
        elif isinstance(event, Unacknowledged) and not acked.done() and handle.is_accepted:
            acked.set_exception(UnacknowledgedError())
            acked.exception()  # nobody has to look
        elif isinstance(event, Cancelled):
            handle.cancelled.tell(event.cancel)
        elif isinstance(event, Ended):
            del self._servers[event.transaction]
            acked.cancel()

    def _serve(self, transaction: Transaction[Flow], flow: Flow) -> None:
        acked: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
        handle = ServerTransaction(transaction, flow, self._respond, acked)
        self._servers[transaction] = handle
        self._own(self._supervise(self._group, self._answer(handle), f"sip {transaction.request.method}"))

    async def _answer(self, handle: ServerTransaction) -> None:
        status: tuple[int, str | None] | None = (500, None)
        try:
            await self._on_request(handle)
            status = None
        except SipError as error:
            status = (error.status, error.reason)
        except asyncio.CancelledError:
            status = None
            raise
        finally:
            if status is not None and not handle.is_answered:
                request = handle.request
                await handle.respond(reply(request, *status, tag=stateless_tag(request)))

    def _respond(self, handle: ServerTransaction, response: Response) -> None:
        if self._is_open:
            self._perform(self._layer.respond(handle.transaction, response, self._now()))

    # Time and tasks.

    def _now(self) -> float:
        return self._clock() if self._clock is not None else asyncio.get_running_loop().time()

    def _set_timer(self) -> None:
        due = self._layer.next_timer
        if due == self._timer_due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_due, self._timer = due, None
        if due is not None:
            delay = max(0.0, due - self._now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._fire)

    def _fire(self) -> None:
        self._timer, self._timer_due = None, None
        self._perform(self._layer.fire(self._now()))

    def _start_task(self, job: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._own(self._group.create_task(job, name=name))

    def _own(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _close(self) -> None:
        self._is_open = False
        for task in list(self._tasks):
            task.cancel()
        while self._tasks:
            await asyncio.wait(self._tasks)
        for handle in [*self._unsent, *self._clients.values()]:
            if not handle.is_finished:
                self._fail(handle, "transport")
            handle.end()
        for server in self._servers.values():
            server.acked.cancel()
        self._clients.clear()
        self._servers.clear()
        self._layer.clear()
        if self._timer is not None:
            self._timer.cancel()
        await self._flows.aclose()
