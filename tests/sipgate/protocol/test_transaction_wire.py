"""Two layers joined by a wire that loses, doubles and reorders, in virtual time."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipgate.protocol.message import Request, Response, parse_message, reply
from sipgate.protocol.transaction import Transaction
from sipgate.protocol.transaction_events import (
    Acknowledged,
    Cancelled,
    Event,
    Failed,
    Received,
    Responded,
    Send,
    Unacknowledged,
)
from sipgate.protocol.transaction_layer import TransactionLayer
from tests.sipgate.protocol.test_transaction_layer import is_empty
from tests.sipgate.samples import request

MAX_DELAY = 0.3


@dataclass
class Wire:
    """Virtual time, datagrams under way, and a caller and a callee that follow RFC 3261 13."""

    random: random.Random
    loss: float = 0.0
    doubling: float = 0.0
    reliable: bool = False
    answer: int = 200
    rings_for: float = 2.0
    gives_up_after: float | None = None
    now: float = 0.0
    caller: TransactionLayer[str] = field(default_factory=TransactionLayer)
    callee: TransactionLayer[str] = field(default_factory=TransactionLayer)
    told: list[tuple[float, str, object]] = field(default_factory=list)
    _agenda: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _count: int = 0

    def at(self, delay: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._agenda, (self.now + delay, self._count, act))

    def run(self, until: float) -> None:
        while True:
            due = [when for when in (self.caller.next_timer, self.callee.next_timer) if when is not None]
            due += [self._agenda[0][0]] if self._agenda else []
            if not due or min(due) > until:
                self.now = until
                return
            self.now = min(due)
            while self._agenda and self._agenda[0][0] <= self.now:
                heapq.heappop(self._agenda)[2]()
            self._at_caller(self.caller.fire(self.now))
            self._at_callee(self.callee.fire(self.now))

    def call(self, message: Request) -> Transaction[str]:
        transaction, events = self.caller.start_client(message, "", reliable=self.reliable, now=self.now)
        self._at_caller(events)
        if self.gives_up_after is not None:
            self.at(
                self.gives_up_after,
                lambda: self._at_caller(self.caller.cancel(transaction, (), self.now)),
            )
        return transaction

    def tell(self, what: str, more: object = None) -> None:
        self.told.append((self.now, what, more))

    def count(self, what: str) -> int:
        return sum(1 for _, name, _ in self.told if name == what)

    def _send(self, data: bytes, deliver: Callable[[bytes], None]) -> None:
        if self.reliable:
            self.at(0.01, lambda: deliver(data))
            return
        for _ in range(1 + (self.random.random() < self.doubling)):
            if self.random.random() >= self.loss:
                self.at(self.random.uniform(0.01, MAX_DELAY), lambda: deliver(data))

    def _to_callee(self, data: bytes) -> None:
        message = parse_message(data)
        assert isinstance(message, Request)
        events = self.callee.receive_request(
            message, "", reliable=self.reliable, source="192.0.2.1", now=self.now
        )
        self._at_callee(events)

    def _to_caller(self, data: bytes) -> None:
        message = parse_message(data)
        assert isinstance(message, Response)
        self._at_caller(self.caller.receive_response(message, self.now))

    def _at_caller(self, events: list[Event[str]]) -> None:
        for event in events:
            if isinstance(event, Send):
                self._send(event.data, self._to_callee)
            elif isinstance(event, Failed):
                self.tell(f"failed {event.cause} {event.transaction.request.method}")
            elif isinstance(event, Responded):
                self.tell(f"heard {event.response.status}")
                if event.transaction.is_invite and 200 <= event.response.status < 300:
                    ack = request("ACK", branch="z9hG4bK-ack", to_tag=event.response.to.tag)
                    self._send(bytes(ack), self._to_callee)

    def _at_callee(self, events: list[Event[str]]) -> None:
        for event in events:
            if isinstance(event, Send):
                self._send(event.data, self._to_caller)
            elif isinstance(event, Received):
                self.tell(f"served {event.transaction.request.method}")
                self._serve(event.transaction)
            elif isinstance(event, Cancelled):
                self.tell("cancelled")
                self._respond(event.transaction, 487)
            elif isinstance(event, Acknowledged):
                self.tell("acked")
            elif isinstance(event, Unacknowledged):
                self.tell("unacked")

    def _serve(self, transaction: Transaction[str]) -> None:
        if transaction.is_invite:
            self.at(0.1, lambda: self._respond(transaction, 180))
        self.at(self.rings_for, lambda: self._respond(transaction, self.answer))

    def _respond(self, transaction: Transaction[str], status: int) -> None:
        response = reply(transaction.request, status, tag="b")
        self._at_callee(self.callee.respond(transaction, response, self.now))


def assert_nothing_left(wire: Wire) -> None:
    assert is_empty(wire.caller)
    assert is_empty(wire.callee)


def test_a_call_on_a_good_wire() -> None:
    wire = Wire(random.Random(1))
    wire.call(request("INVITE"))
    wire.run(100)
    assert [what for _, what, _ in wire.told] == ["served INVITE", "heard 180", "heard 200", "acked"]
    assert_nothing_left(wire)


@pytest.mark.parametrize("answer", [200, 302, 486, 603])
@pytest.mark.parametrize("reliable", [False, True])
def test_a_call_over_each_kind_of_transport_is_answered_once(answer: int, reliable: bool) -> None:
    wire = Wire(random.Random(1), reliable=reliable, answer=answer)
    wire.call(request("INVITE"))
    wire.run(200)
    assert wire.count("served INVITE") == 1
    assert wire.count(f"heard {answer}") == 1
    assert wire.count("unacked") == 0
    assert wire.count("acked") == (answer == 200)
    assert_nothing_left(wire)


@pytest.mark.parametrize("seed", range(40))
def test_a_call_on_a_bad_wire_ends_for_both_and_leaves_nothing(seed: int) -> None:
    wire = Wire(random.Random(seed), loss=0.3, doubling=0.2, answer=(200, 486)[seed % 2])
    wire.call(request("INVITE"))
    wire.run(400)
    assert wire.count("served INVITE") == 1
    assert wire.count(f"heard {wire.answer}") >= 1
    assert wire.count("failed timeout INVITE") == 0
    assert_nothing_left(wire)


@pytest.mark.parametrize("seed", range(40))
def test_a_request_on_a_bad_wire_is_served_once_and_answered_once(seed: int) -> None:
    wire = Wire(random.Random(seed), loss=0.3, doubling=0.2, rings_for=0.5)
    wire.call(request("MESSAGE"))
    wire.run(200)
    assert [what for _, what, _ in wire.told] == ["served MESSAGE", "heard 200"]
    assert_nothing_left(wire)


@pytest.mark.parametrize("seed", range(40))
def test_a_cancelled_call_on_a_bad_wire_ends_for_both(seed: int) -> None:
    wire = Wire(random.Random(seed), loss=0.3, doubling=0.2, rings_for=1000, gives_up_after=1.0)
    wire.call(request("INVITE"))
    wire.run(900)
    assert wire.count("cancelled") == 1
    assert wire.count("heard 487") == 1
    assert_nothing_left(wire)


def test_on_a_dead_wire_both_kinds_of_request_end_after_64_t1() -> None:
    for method in ("INVITE", "BYE"):
        wire = Wire(random.Random(1), loss=1.0)
        wire.call(request(method))
        wire.run(32.0)
        assert wire.told == [(32.0, f"failed timeout {method}", None)]
        assert_nothing_left(wire)


def test_when_the_wire_dies_after_the_answer_the_callee_gives_up() -> None:
    wire = Wire(random.Random(1))
    wire.call(request("INVITE"))
    wire.run(2.05)
    wire.loss = 1.0
    wire.run(100)
    (when,) = [now for now, what, _ in wire.told if what == "unacked"]
    assert 34 <= when < 35
    assert is_empty(wire.callee)
    assert [transaction.state.name for transaction in wire.caller.clients()] == ["PROCEEDING"]


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    loss=st.floats(0, 1),
    doubling=st.floats(0, 1),
    answer=st.sampled_from([200, 404, 600]),
    rings_for=st.floats(0, 60),
    gives_up_after=st.none() | st.floats(0, 60),
    method=st.sampled_from(["INVITE", "OPTIONS", "REGISTER", "BYE"]),
    reliable=st.booleans(),
)
def test_whatever_the_wire_does_nothing_is_left_when_its_time_is_over(
    seed: int,
    loss: float,
    doubling: float,
    answer: int,
    rings_for: float,
    gives_up_after: float | None,
    method: str,
    reliable: bool,
) -> None:
    wire = Wire(random.Random(seed), loss, doubling, reliable, answer, rings_for, gives_up_after)
    wire.call(request(method))
    wire.run(60 + 60 + 4 * 64 * 0.5)
    assert wire.count(f"served {method}") <= 1 or loss > 0
    # A caller who heard of ringing and nothing more waits on: that is for its user to end.
    if not any(transaction.state.name == "PROCEEDING" for transaction in wire.caller.clients()):
        assert_nothing_left(wire)
    assert is_empty(wire.callee)
