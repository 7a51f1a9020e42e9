"""No order of messages, wishes, errors and time makes the layer raise, leak or exceed its caps."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, reply
from sipgate.protocol.transaction import Transaction
from sipgate.protocol.transaction_events import Ended, Event, Received, Send
from sipgate.protocol.transaction_layer import TransactionLayer
from sipgate.protocol.transaction_room import TransactionLimits
from tests.sipgate.protocol.test_transaction_layer import is_empty
from tests.sipgate.samples import request

METHODS = st.sampled_from(["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER"])
BRANCHES = st.sampled_from(["z9hG4bK-1", "z9hG4bK-2", "z9hG4bK-3", "old", "", "z9hG4bK"])
STATUSES = st.sampled_from([100, 180, 200, 202, 302, 404, 487, 503, 603])
TAGS = st.sampled_from([None, "b", "c"])
NUMBERS = st.integers(1, 2)
SOURCES = st.sampled_from(["192.0.2.1", "192.0.2.2"])
LIMITS = TransactionLimits(servers=6, servers_per_source=4, clients=6)


class Anything(RuleBasedStateMachine):
    """A layer with small caps, and everybody who can do anything to it."""

    def __init__(self) -> None:
        super().__init__()
        self.layer: TransactionLayer[str] = TransactionLayer(limits=LIMITS)
        self.now = 0.0
        self.ours: list[Transaction[str]] = []
        self.theirs: list[Transaction[str]] = []
        self.fresh = 0

    def take(self, events: list[Event[str]]) -> None:
        for event in events:
            if isinstance(event, Received):
                self.theirs.append(event.transaction)
            elif isinstance(event, Ended):
                assert event.transaction.is_over
                assert not event.transaction.deadlines
                assert not event.transaction.index_keys
            elif isinstance(event, Send):
                assert event.data

    @rule(
        method=METHODS,
        branch=BRANCHES,
        tag=TAGS,
        number=NUMBERS,
        source=SOURCES,
        reliable=st.booleans(),
    )
    def a_request_comes(
        self, method: str, branch: str, tag: str | None, number: int, source: str, reliable: bool
    ) -> None:
        message = request(method, branch=branch, to_tag=tag, number=number, call_id=branch or "c")
        self.take(self.layer.receive_request(message, "wire", reliable=reliable, source=source, now=self.now))

    @rule(method=METHODS, status=STATUSES, tag=TAGS, vias=st.integers(0, 2))
    def a_stray_response_comes(self, method: str, status: int, tag: str | None, vias: int) -> None:
        response = reply(request(method, branch=None), status, tag=tag)
        for number in range(vias):
            response.headers.add("Via", f"SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-{number}")
        try:
            self.take(self.layer.receive_response(response, self.now))
        except SipError:
            assert vias == 0

    @rule(method=st.sampled_from(["INVITE", "BYE", "REGISTER"]), reliable=st.booleans())
    def we_send(self, method: str, reliable: bool) -> None:
        self.fresh += 1
        message = request(method, branch=f"z9hG4bK-own-{self.fresh}")
        transaction, events = self.layer.start_client(message, "wire", reliable=reliable, now=self.now)
        self.ours.append(transaction)
        self.take(events)

    @rule(which=st.integers(0, 10), status=STATUSES, tag=TAGS)
    def a_response_comes(self, which: int, status: int, tag: str | None) -> None:
        if self.ours:
            message: Request = self.ours[which % len(self.ours)].request
            self.take(self.layer.receive_response(reply(message, status, tag=tag), self.now))

    @rule(which=st.integers(0, 10))
    def we_cancel(self, which: int) -> None:
        if self.ours:
            self.take(self.layer.cancel(self.ours[which % len(self.ours)], (), self.now))

    @rule(which=st.integers(0, 10), status=STATUSES, tag=TAGS)
    def we_respond(self, which: int, status: int, tag: str | None) -> None:
        if self.theirs:
            transaction = self.theirs[which % len(self.theirs)]
            response = reply(transaction.request, status, tag=tag)
            self.take(self.layer.respond(transaction, response, self.now))

    @rule(which=st.integers(0, 10), ours=st.booleans())
    def sending_fails(self, which: int, ours: bool) -> None:
        those = self.ours if ours else self.theirs
        if those:
            self.take(self.layer.transport_failed(those[which % len(those)], self.now))

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.5, 4.0, 33.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.layer.fire(self.now))

    @invariant()
    def the_caps_hold(self) -> None:
        layer = self.layer
        assert len(layer._clients) == layer._client_room._total <= LIMITS.clients
        assert layer._room._total <= LIMITS.servers
        assert all(count <= LIMITS.servers_per_source for count in layer._room._by_source.values())
        assert layer._room._total == sum(layer._room._by_source.values()) == len(set(layer._servers.values()))

    @invariant()
    def no_timer_is_overdue(self) -> None:
        due = self.layer.next_timer
        assert due is None or due >= self.now - 33.0

    def teardown(self) -> None:
        """Whoever waits for a user gets an answer; then time alone must end everything."""
        for transaction in self.theirs:
            if not transaction.has_final:
                response = reply(transaction.request, 500, tag="b")
                self.take(self.layer.respond(transaction, response, self.now))
        for transaction in self.layer.clients():
            self.take(self.layer.cancel(transaction, (), self.now))
            if transaction.is_invite:
                self.take(self.layer.transport_failed(transaction, self.now))
        for _ in range(200):
            self.now += 1.0
            self.take(self.layer.fire(self.now))
        assert is_empty(self.layer)


TestAnything = Anything.TestCase
TestAnything.settings = settings(
    max_examples=150, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
