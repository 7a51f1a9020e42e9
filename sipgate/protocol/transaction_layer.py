"""The transaction layer of RFC 3261 17, without input and output.

Messages, the wishes of the transaction users and the time go in; what is to be sent or told comes out as a
list of events, in order. The path of a message is opaque here. The caps keep what the network can fill
bounded, in all and for each source; a transaction that has come to its end and only waits for retransmissions
makes room for a new one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic

from .message import Request, Response, reply
from .request_copies import ack_of_failure, cancel_of
from .timers import REPEATING, Timer, TimerValues
from .transaction import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Path,
    Transaction,
)
from .transaction_clock import TransactionClock
from .transaction_events import (
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
    Undelivered,
)
from .transaction_keys import Key, accepted_key, client_key, merge_key, server_key, stateless_tag
from .transaction_room import TransactionLimits, TransactionRoom
from .validate import validate_request


@dataclass
class Counters:
    """What was dropped or refused since the start."""

    stray_responses: int = 0
    stray_acks: int = 0
    overloaded: int = 0
    merged: int = 0
    evicted: int = 0


class TransactionLayer(Generic[Path]):
    """All transactions of one endpoint."""

    def __init__(self, *, timers: TimerValues | None = None, limits: TransactionLimits | None = None) -> None:
        self.counters = Counters()
        self._timers = timers or TimerValues()
        self._limits = limits or TransactionLimits()
        self._clock: TransactionClock[Path] = TransactionClock()
        limits = self._limits
        self._room: TransactionRoom[Path] = TransactionRoom(limits.servers, limits.servers_per_source)
        self._client_room: TransactionRoom[Path] = TransactionRoom(limits.clients, limits.clients)
        self._clients: dict[Key, Transaction[Path]] = {}
        self._servers: dict[Key, Transaction[Path]] = {}
        self._accepted: dict[Key, Transaction[Path]] = {}
        self._merges: dict[Key, Transaction[Path]] = {}
        self._events: list[Event[Path]] = []
        self._now = 0.0
        self._do: dict[str, Callable[[Transaction[Path], Any], None]] = {
            "SEND_REQUEST": self._send_again,
            "SEND_ACK": self._send_ack,
            "PASS_RESPONSE": self._pass_response,
            "TELL_TIMEOUT": lambda transaction, _: self._fail(transaction, "timeout"),
            "TELL_CANCELLED": lambda transaction, _: self._fail(transaction, "cancelled"),
            "TELL_TRANSPORT_FAILURE": self._tell_transport_failure,
            "PASS_REQUEST": lambda transaction, _: self._events.append(Received(transaction)),
            "SEND_TRYING": self._send_trying,
            "SEND_RESPONSE": self._send_again,
            "PASS_ACK": self._pass_ack,
            "TELL_UNACKED": self._tell_unacked,
        }

    def __len__(self) -> int:
        """The number of transactions that are not over."""
        return len(self._clients) + len(self._servers)

    @property
    def next_timer(self) -> float | None:
        """When `fire` is due; None when nothing runs."""
        return self._clock.next

    def clients(self) -> Iterator[Transaction[Path]]:
        """Yield the client transactions, also those that are only waiting for retransmissions."""
        yield from list(self._clients.values())

    # What the user of client transactions wants.

    def start_client(
        self, request: Request, path: Path, *, reliable: bool, now: float
    ) -> tuple[Transaction[Path], list[Event[Path]]]:
        """Send a request other than an ACK; its top Via must hold a fresh branch."""
        self._now = now
        transaction = self._start_client(request, path, reliable)
        return transaction, self._take()

    def cancel(
        self, transaction: Transaction[Path], headers: tuple[tuple[str, str], ...], now: float
    ) -> list[Event[Path]]:
        """Send CANCEL with these headers added, or do so at the first provisional response (9.1)."""
        self._now = now
        if transaction.is_invite and not transaction.has_final and transaction.cancel_headers is None:
            transaction.cancel_headers = headers
            if transaction.state.name == "PROCEEDING":
                self._send_cancel(transaction)
        return self._take()

    # What comes from the network.

    def receive_response(self, response: Response, now: float) -> list[Event[Path]]:
        """Take a response. One that matches no transaction, or bears more than our own Via, is dropped."""
        self._now = now
        transaction = self._clients.get(client_key(response)) if len(response.vias) == 1 else None
        if transaction is None:
            self.counters.stray_responses += 1
        else:
            self._input(transaction, transaction.input_by(response), response)
        return self._take()

    def receive_request(
        self,
        request: Request,
        path: Path,
        *,
        reliable: bool,
        source: str,
        now: float,
        is_busy: Callable[[Request], bool] = lambda _: False,
    ) -> list[Event[Path]]:
        """Take a request, refuse a new one when `is_busy`; raise SipError for what no transaction can begin with."""
        self._now = now
        if request.method == "ACK":
            self._receive_ack(request)
            return self._take()
        key = server_key(request)
        known = self._servers.get(key)
        if known is not None:
            self._input(known, "INVITE" if known.is_invite else "REQUEST", request)
        elif self._admit(request, path, source, is_busy):
            transaction = self._start_server(key, request, path, reliable, source)
            if request.method == "CANCEL":
                self._answer_cancel(transaction)
        return self._take()

    def transport_failed(self, transaction: Transaction[Path], now: float) -> list[Event[Path]]:
        """Learn that the latest message of a transaction could not be sent, or its connection broke."""
        self._now = now
        self._input(transaction, "TRANSPORT_ERROR", None)
        return self._take()

    # What the user of server transactions wants.

    def respond(self, transaction: Transaction[Path], response: Response, now: float) -> list[Event[Path]]:
        """Send a response. After the final one, and once the transaction is over, nothing is sent."""
        self._now = now
        self._respond(transaction, response)
        return self._take()

    def fire(self, now: float) -> list[Event[Path]]:
        """Let the timers that are due do their work."""
        self._now = now
        while (due := self._clock.due(now)) is not None:
            transaction, timer = due
            self._input(transaction, timer.name, None)
            self._repeat(transaction, timer)
        return self._take()

    def clear(self) -> None:
        """Forget everything, without a word to anybody."""
        for transaction in [*self._clients.values(), *self._servers.values()]:
            transaction.state = transaction.machine.end
            self._forget(transaction)
        self._events.clear()

    # How a machine is driven.

    def _take(self) -> list[Event[Path]]:
        events, self._events = self._events, []
        return events

    def _input(self, transaction: Transaction[Path], name: str, message: Any) -> None:
        if transaction.is_over:
            return
        before = transaction.state
        machine = transaction.machine
        transaction.state, actions = machine.step(before, machine.inputs[name])
        for action in actions:
            self._do[action.name](transaction, message)
        if transaction.is_over:
            self._forget(transaction)
            self._events.append(Ended(transaction))
        elif transaction.state is not before:
            self._change_timers(transaction, before)

    def _change_timers(self, transaction: Transaction[Path], before: object) -> None:
        """Stop the timers of the old state and start those of the new one; what is in both runs on."""
        timers = transaction.machine.timers
        old, new = timers.get(before, ()), timers.get(transaction.state, ())
        for timer in set(transaction.deadlines) - set(new) - {Timer.TIMER_CANCEL}:
            self._clock.stop(transaction, timer)
        if transaction.has_final:
            self._clock.stop(transaction, Timer.TIMER_CANCEL)
        for timer in new:
            if timer not in old:
                self._start_timer(transaction, timer)

    def _start_timer(self, transaction: Transaction[Path], timer: Timer) -> None:
        delay = self._timers.first(timer, reliable=transaction.reliable)
        if delay == 0:
            self._input(transaction, timer.name, None)
        elif delay is not None:
            transaction.intervals[timer] = delay
            self._clock.start(transaction, timer, self._now + delay)

    def _repeat(self, transaction: Transaction[Path], timer: Timer) -> None:
        runs = timer in transaction.machine.timers.get(transaction.state, ())
        if timer not in REPEATING or not runs or (timer is Timer.TIMER_SUCCESS and transaction.acked):
            return
        proceeding = transaction.state.name == "PROCEEDING"
        delay = self._timers.again(timer, transaction.intervals[timer], proceeding=proceeding)
        transaction.intervals[timer] = delay
        self._clock.start(transaction, timer, self._now + delay)

    def _start(self, transaction: Transaction[Path], index: dict[Key, Transaction[Path]], key: Key) -> None:
        self._put(transaction, index, key)
        for timer in transaction.machine.timers.get(transaction.state, ()):
            self._start_timer(transaction, timer)
        for action in transaction.machine.start[1]:
            self._do[action.name](transaction, None)

    @staticmethod
    def _put(transaction: Transaction[Path], index: dict[Key, Transaction[Path]], key: Key) -> None:
        index[key] = transaction
        transaction.index_keys.append((index, key))

    def _forget(self, transaction: Transaction[Path]) -> None:
        for index, key in transaction.index_keys:
            if index.get(key) is transaction:
                del index[key]
        transaction.index_keys.clear()
        for timer in list(transaction.deadlines):
            self._clock.stop(transaction, timer)
        (self._room if transaction.is_server else self._client_room).leave(transaction)

    def _make_room(self, room: TransactionRoom[Path], source: str) -> bool:
        """Forget what only waits for retransmissions until one more fits; False when there is no room."""
        while not room.has_room(source):
            oldest = room.oldest_answered(source)
            if oldest is None:
                self.counters.overloaded += 1
                return False
            self.counters.evicted += 1
            oldest.state = oldest.machine.end
            self._forget(oldest)
            self._events.append(Ended(oldest))
        return True

    # The actions of the tables.

    def _send_again(self, transaction: Transaction[Path], _: object) -> None:
        if transaction.sent:
            self._events.append(Send(transaction.sent, transaction.path, transaction))

    def _send_ack(self, transaction: Transaction[Path], response: Response) -> None:
        ack = ack_of_failure(transaction.request, response)
        self._events.append(Send(bytes(ack), transaction.path, transaction))

    def _pass_response(self, transaction: Transaction[Path], response: Response) -> None:
        self._events.append(Responded(transaction, response))
        if response.status >= 200:
            self._client_room.answered(transaction)
        runs = Timer.TIMER_CANCEL in transaction.deadlines
        if response.status < 200 and transaction.cancel_headers is not None and not runs:
            self._send_cancel(transaction)

    def _fail(self, transaction: Transaction[Path], cause: Cause) -> None:
        self._events.append(Failed(transaction, cause))

    def _tell_transport_failure(self, transaction: Transaction[Path], _: object) -> None:
        if transaction.is_server:
            self._events.append(Undelivered(transaction))
        else:
            self._fail(transaction, "transport")

    def _send_trying(self, transaction: Transaction[Path], _: object) -> None:
        if not transaction.sent:
            transaction.sent = bytes(reply(transaction.request, 100))
            self._send_again(transaction, None)

    def _pass_ack(self, transaction: Transaction[Path], ack: Request) -> None:
        transaction.acked = True
        self._clock.stop(transaction, Timer.TIMER_SUCCESS)
        self._room.answered(transaction)
        self._events.append(Acknowledged(transaction, ack))

    def _tell_unacked(self, transaction: Transaction[Path], _: object) -> None:
        if not transaction.acked:
            self._events.append(Unacknowledged(transaction))

    # Clients.

    def _start_client(self, request: Request, path: Path, reliable: bool) -> Transaction[Path]:
        machine = INVITE_CLIENT if request.method == "INVITE" else NON_INVITE_CLIENT
        transaction = Transaction(machine, request, path, reliable)
        if not self._make_room(self._client_room, ""):
            transaction.state = machine.end
            self._events += [Failed(transaction, "overload"), Ended(transaction)]
            return transaction
        transaction.sent = bytes(request)
        self._client_room.enter(transaction)
        self._start(transaction, self._clients, client_key(request))
        return transaction

    def _send_cancel(self, invite: Transaction[Path]) -> None:
        self._start_timer(invite, Timer.TIMER_CANCEL)
        cancel = cancel_of(invite.request, invite.cancel_headers or ())
        self._start_client(cancel, invite.path, invite.reliable)

    # Servers.

    def _receive_ack(self, ack: Request) -> None:
        transaction = self._servers.get(server_key(ack, "INVITE")) or self._accepted.get(accepted_key(ack))
        if transaction is None:
            self.counters.stray_acks += 1
        else:
            validate_request(ack)
            self._input(transaction, "ACK", ack)

    def _admit(self, request: Request, path: Path, source: str, is_busy: Callable[[Request], bool]) -> bool:
        """Tell whether a request may begin a transaction; refuse it without keeping anything if not."""
        is_new = request.to.tag is None and request.method != "CANCEL"
        if is_new and is_busy(request):
            self.counters.overloaded += 1
            self._refuse(request, path, 503)
            return False
        validate_request(request)
        if is_new and merge_key(request) in self._merges:
            self.counters.merged += 1
            self._refuse(request, path, 482)
            return False
        if not self._make_room(self._room, source):
            self._refuse(request, path, 503)
            return False
        return True

    def _refuse(self, request: Request, path: Path, status: int) -> None:
        response = reply(request, status, tag=stateless_tag(request))
        if status == 503:
            response.headers.add("Retry-After", str(self._limits.retry_after))
        self._events.append(Send(bytes(response), path, None))

    def _start_server(
        self, key: Key, request: Request, path: Path, reliable: bool, source: str
    ) -> Transaction[Path]:
        machine = INVITE_SERVER if request.method == "INVITE" else NON_INVITE_SERVER
        transaction = Transaction(machine, request, path, reliable, source)
        self._room.enter(transaction)
        merge = merge_key(request)
        if merge is not None and request.method != "CANCEL":
            self._put(transaction, self._merges, merge)
        if request.method == "CANCEL":
            self._put(transaction, self._servers, key)
        else:
            self._start(transaction, self._servers, key)
        return transaction

    def _answer_cancel(self, transaction: Transaction[Path]) -> None:
        """Answer a CANCEL at once (9.2): 200 if there is such an INVITE, whatever its state, else 481."""
        cancel = transaction.request
        invite = self._servers.get(server_key(cancel, "INVITE"))
        status = 481 if invite is None else 200
        self._respond(transaction, reply(cancel, status, tag=stateless_tag(cancel)))
        if invite is not None and not invite.has_final:
            self._events.append(Cancelled(invite, cancel))

    def _respond(self, transaction: Transaction[Path], response: Response) -> None:
        name = transaction.input_by(response)
        step = transaction.machine.step
        if step(transaction.state, transaction.machine.inputs[name]) == (transaction.state, ()):
            return
        transaction.sent = bytes(response)
        if name == "SUCCESS":
            transaction.accepted = True
            self._put(transaction, self._accepted, accepted_key(response))
        self._input(transaction, name, response)
        if name in ("FINAL", "FAILURE") and not transaction.is_over:
            self._room.answered(transaction)
