"""The layer alone: what it makes of each message, with the time as a number."""

import itertools
from collections.abc import Iterable
from typing import Any, TypeVar

import pytest

from sipgate.protocol.message import Request, Response, parse_message, reply
from sipgate.protocol.timers import TimerValues
from sipgate.protocol.transaction import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Machine,
    Transaction,
)
from sipgate.protocol.transaction_events import (
    Acknowledged,
    Cancelled,
    Ended,
    Event,
    Failed,
    Received,
    Responded,
    Send,
    Unacknowledged,
    Undelivered,
)
from sipgate.protocol.transaction_layer import TransactionLayer
from sipgate.protocol.transaction_room import TransactionLimits
from tests.sipgate.samples import request

Layer = TransactionLayer[str]
Kind = TypeVar("Kind")


def of(kind: type[Kind], events: Iterable[object]) -> list[Kind]:
    return [event for event in events if isinstance(event, kind)]


def sent(events: Iterable[Event[str]]) -> list[Request | Response]:
    return [parse_message(event.data) for event in events if isinstance(event, Send)]


def statuses(events: Iterable[Event[str]]) -> list[int]:
    return [message.status for message in sent(events) if isinstance(message, Response)]


def methods(events: Iterable[Event[str]]) -> list[str]:
    return [message.method for message in sent(events) if isinstance(message, Request)]


def receive(
    layer: Layer, message: Request, now: float = 0.0, *, reliable: bool = False, source: str = "192.0.2.1"
) -> list[Event[str]]:
    return layer.receive_request(message, "wire", reliable=reliable, source=source, now=now)


def begin(layer: Layer, message: Request, now: float = 0.0, *, reliable: bool = False) -> Transaction[str]:
    (received,) = of(Received, receive(layer, message, now, reliable=reliable))
    transaction: Transaction[str] = received.transaction
    return transaction


def start(layer: Layer, message: Request, *, reliable: bool = False) -> Transaction[str]:
    transaction, events = layer.start_client(message, "wire", reliable=reliable, now=0.0)
    assert methods(events) == [message.method]
    return transaction


def run(layer: Layer, until: float) -> list[tuple[float, Event[str]]]:
    """Fire timer after timer; return what happened when."""
    story: list[tuple[float, Event[str]]] = []
    while (due := layer.next_timer) is not None and due <= until:
        story += [(due, event) for event in layer.fire(due)]
    return story


def is_empty(layer: Layer) -> bool:
    indices: list[Any] = [layer._clients, layer._servers, layer._accepted, layer._merges]
    indices += [layer._room._by_source, layer._room._answered, layer._room._total, len(layer._clock)]
    indices += [layer._client_room._by_source, layer._client_room._answered, layer._client_room._total]
    return len(layer) == 0 and layer.next_timer is None and not any(indices)


@pytest.mark.parametrize("machine", [INVITE_CLIENT, INVITE_SERVER, NON_INVITE_CLIENT, NON_INVITE_SERVER])
def test_the_layer_can_do_each_action_of_each_table(machine: Machine) -> None:
    for state, given in itertools.product(type(machine.end), machine.inputs):
        assert {action.name for action in machine.step(state, given)[1]} <= set(Layer()._do)


def test_an_invite_is_repeated_at_growing_intervals_until_timer_b() -> None:
    layer = Layer()
    start(layer, request("INVITE"))
    story = run(layer, 100)
    assert [now for now, event in story if isinstance(event, Send)] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert [(now, event.cause) for now, event in story if isinstance(event, Failed)] == [(32.0, "timeout")]
    assert is_empty(layer)


def test_over_a_reliable_transport_an_invite_is_sent_once() -> None:
    layer = Layer()
    start(layer, request("INVITE"), reliable=True)
    story = run(layer, 100)
    assert [now for now, event in story if isinstance(event, Failed)] == [32.0]
    assert not [event for _, event in story if isinstance(event, Send)]


def test_another_request_is_repeated_at_most_every_t2_and_more_slowly_once_it_proceeds() -> None:
    layer = Layer()
    message = request("OPTIONS")
    start(layer, message)
    times = [now for now, event in run(layer, 3) if isinstance(event, Send)]
    layer.receive_response(reply(message, 100), 3.1)
    story = run(layer, 100)
    times += [now for now, event in story if isinstance(event, Send)]
    assert times[:4] == [0.5, 1.5, 3.5, 7.5]
    assert times[-1] == 31.5
    assert [event.cause for _, event in story if isinstance(event, Failed)] == ["timeout"]


def test_a_call_may_ring_for_minutes() -> None:
    layer = Layer()
    message = request("INVITE")
    start(layer, message)
    layer.receive_response(reply(message, 180, tag="b"), 1.0)
    assert run(layer, 1000) == []
    events = layer.receive_response(reply(message, 200, tag="b"), 1000.0)
    assert [event.response.status for event in of(Responded, events)] == [200]


def test_a_failure_is_acked_by_the_layer_each_time_and_passed_on_once() -> None:
    layer = Layer()
    message = request("INVITE")
    start(layer, message)
    busy = reply(message, 486, tag="b")
    first, second = layer.receive_response(busy, 1.0), layer.receive_response(busy, 2.0)
    assert len(of(Responded, first)) == 1
    assert not of(Responded, second)
    for events in (first, second):
        (ack,) = sent(events)
        assert isinstance(ack, Request)
        assert (ack.method, str(ack.top_via), ack.to.tag) == ("ACK", str(message.top_via), "b")
        assert str(ack.cseq) == "1 ACK"
    run(layer, 34)
    assert is_empty(layer)


def test_every_2xx_is_passed_on_for_64_t1() -> None:
    layer = Layer()
    message = request("INVITE")
    start(layer, message)
    for now in (1.0, 1.5, 30.0):
        assert of(Responded, layer.receive_response(reply(message, 200, tag="b"), now))
    run(layer, 33.0)
    assert is_empty(layer)
    assert not of(Responded, layer.receive_response(reply(message, 200, tag="b"), 33.1))


def test_a_response_that_is_not_ours_is_dropped() -> None:
    layer = Layer()
    message = request("INVITE")
    start(layer, message)
    two_vias = reply(message, 200, tag="b")
    two_vias.headers.add("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-9")
    for response in (
        two_vias,
        reply(request("INVITE", branch="z9hG4bK-2"), 200),
        reply(request("OPTIONS"), 200),
    ):
        assert layer.receive_response(response, 0.1) == []
    assert layer.counters.stray_responses == 3


def test_a_cancel_waits_for_a_provisional_response_and_ends_the_invite_if_nobody_reacts() -> None:
    layer = Layer()
    message = request("INVITE")
    invite = start(layer, message)
    assert layer.cancel(invite, (("Reason", "SIP;cause=200"),), 0.1) == []
    assert layer.cancel(invite, (), 0.2) == []
    events = layer.receive_response(reply(message, 180), 1.0)
    (cancel,) = sent(events)
    assert isinstance(cancel, Request)
    assert (cancel.method, cancel.uri, str(cancel.top_via)) == ("CANCEL", message.uri, str(message.top_via))
    assert (str(cancel.cseq), cancel.headers.get("Reason")) == ("1 CANCEL", "SIP;cause=200")
    assert not sent(layer.receive_response(reply(message, 183), 1.5))
    layer.receive_response(reply(cancel, 200), 2.0)
    causes = [(now, event.cause) for now, event in run(layer, 100) if isinstance(event, Failed)]
    assert causes == [(33.0, "cancelled")]
    assert is_empty(layer)


def test_a_cancelled_invite_that_is_answered_ends_like_any_other() -> None:
    layer = Layer()
    message = request("INVITE")
    invite = start(layer, message)
    layer.receive_response(reply(message, 180), 1.0)
    assert methods(layer.cancel(invite, (), 2.0)) == ["CANCEL"]
    events = layer.receive_response(reply(message, 487, tag="b"), 2.1)
    assert methods(events) == ["ACK"]
    failed = [event.transaction for _, event in run(layer, 100) if isinstance(event, Failed)]
    assert invite not in failed
    assert is_empty(layer)


def test_a_transport_failure_ends_a_client_transaction_at_once() -> None:
    for method in ("INVITE", "REGISTER"):
        layer = Layer()
        events = layer.transport_failed(start(layer, request(method)), 0.1)
        assert [event.cause for event in of(Failed, events)] == ["transport"]
        assert is_empty(layer)


def test_too_many_requests_of_our_own_fail_here() -> None:
    layer = Layer(limits=TransactionLimits(clients=1))
    start(layer, request("OPTIONS"))
    transaction, events = layer.start_client(
        request("OPTIONS", branch="z9hG4bK-2"), "wire", reliable=False, now=0
    )
    assert [event.cause for event in of(Failed, events)] == ["overload"]
    assert transaction.is_over
    assert len(layer) == 1


def test_the_caller_hears_100_after_200_ms_of_silence() -> None:
    layer = Layer()
    begin(layer, request("INVITE"))
    assert layer.next_timer == 0.2
    assert statuses(layer.fire(0.2)) == [100]
    assert statuses(receive(layer, request("INVITE"), 0.6)) == [100]


def test_no_100_once_the_user_has_said_something() -> None:
    layer = Layer()
    message = request("INVITE")
    transaction = begin(layer, message)
    assert statuses(layer.respond(transaction, reply(message, 180, tag="b"), 0.1)) == [180]
    assert statuses(layer.fire(0.2)) == []


def test_a_failure_is_repeated_until_its_ack_which_nobody_sees() -> None:
    layer = Layer()
    message = request("INVITE")
    transaction = begin(layer, message)
    layer.respond(transaction, reply(message, 486, tag="b"), 0.1)
    assert [round(now, 3) for now, event in run(layer, 4) if isinstance(event, Send)] == [0.6, 1.6, 3.6]
    assert receive(layer, request("ACK", to_tag="b"), 4.0) == []
    assert [type(event) for _, event in run(layer, 9.0)] == [Ended]
    assert is_empty(layer)


def test_a_failure_without_ack_is_given_up_after_64_t1() -> None:
    layer = Layer()
    message = request("INVITE")
    layer.respond(begin(layer, message), reply(message, 486, tag="b"), 0.0)
    story = run(layer, 100)
    assert [now for now, event in story if isinstance(event, Unacknowledged)] == [32.0]
    assert is_empty(layer)


@pytest.mark.parametrize("reliable", [False, True])
def test_a_2xx_is_repeated_over_any_transport_until_its_ack(reliable: bool) -> None:
    layer = Layer()
    message = request("INVITE")
    transaction = begin(layer, message, reliable=reliable)
    layer.respond(transaction, reply(message, 200, tag="b"), 0.0)
    assert [now for now, event in run(layer, 4) if isinstance(event, Send)] == [0.5, 1.5, 3.5]
    ack = request("ACK", branch="z9hG4bK-other", to_tag="b")
    (event,) = receive(layer, ack, 4.0)
    assert isinstance(event, Acknowledged)
    assert event.transaction is transaction
    assert receive(layer, request("INVITE"), 4.1) == []
    assert [type(event) for _, event in run(layer, 100)] == [Ended]
    assert is_empty(layer)


def test_a_2xx_without_ack_is_told_after_64_t1() -> None:
    layer = Layer()
    message = request("INVITE")
    layer.respond(begin(layer, message), reply(message, 200, tag="b"), 0.0)
    story = run(layer, 100)
    assert [now for now, event in story if isinstance(event, Send)][-1] == 31.5
    assert [now for now, event in story if isinstance(event, Unacknowledged)] == [32.0]
    assert is_empty(layer)


@pytest.mark.parametrize(
    "other",
    [
        request("ACK", branch="z9hG4bK-o", to_tag="c"),
        request("ACK", branch="z9hG4bK-o", to_tag="b", number=2),
        request("ACK", branch="z9hG4bK-o", to_tag="b", call_id="other"),
        request("ACK", branch="z9hG4bK-o", to_tag="b", from_tag="mallory"),
    ],
)
def test_the_ack_of_another_answer_is_not_taken(other: Request) -> None:
    layer = Layer()
    message = request("INVITE")
    layer.respond(begin(layer, message), reply(message, 200, tag="b"), 0.0)
    assert receive(layer, other, 0.1) == []
    assert layer.counters.stray_acks == 1


def test_a_retransmitted_request_gets_the_same_answer_and_reaches_the_user_once() -> None:
    layer = Layer()
    message = request("REGISTER")
    transaction = begin(layer, message)
    assert receive(layer, message, 0.1) == []
    layer.respond(transaction, reply(message, 200, tag="b"), 0.2)
    assert statuses(receive(layer, message, 31.0)) == [200]
    run(layer, 32.3)
    assert is_empty(layer)
    assert of(Received, receive(layer, message, 33.0))


def test_only_the_first_final_response_counts() -> None:
    layer = Layer()
    message = request("INVITE")
    transaction = begin(layer, message)
    assert statuses(layer.respond(transaction, reply(message, 486, tag="b"), 0.1)) == [486]
    for status in (180, 200, 500):
        assert layer.respond(transaction, reply(message, status, tag="b"), 0.2) == []
    assert statuses(receive(layer, message, 0.3)) == [486]


def test_a_cancel_is_answered_and_told_and_the_invite_is_left_to_the_user() -> None:
    layer = Layer()
    message = request("INVITE")
    transaction = begin(layer, message)
    cancel = request("CANCEL")
    events = receive(layer, cancel, 1.0)
    assert statuses(events) == [200]
    assert [event.transaction for event in of(Cancelled, events)] == [transaction]
    again = receive(layer, cancel, 1.5)
    assert statuses(again) == [200]
    assert not of(Cancelled, again)
    assert statuses(layer.respond(transaction, reply(message, 487, tag="b"), 1.6)) == [487]


def test_a_cancel_that_comes_too_late_changes_nothing_and_one_for_nothing_gets_481() -> None:
    layer = Layer()
    message = request("INVITE")
    layer.respond(begin(layer, message), reply(message, 200, tag="b"), 0.1)
    events = receive(layer, request("CANCEL"), 0.2)
    assert statuses(events) == [200]
    assert not of(Cancelled, events)
    assert statuses(receive(layer, request("CANCEL", branch="z9hG4bK-none"), 0.3)) == [481]


def test_a_request_that_came_on_two_paths_is_served_once() -> None:
    layer = Layer()
    begin(layer, request("INVITE"))
    assert statuses(receive(layer, request("INVITE", branch="z9hG4bK-second"), 0.1)) == [482]
    assert layer.counters.merged == 1
    assert of(Received, receive(layer, request("INVITE", branch="z9hG4bK-third", number=2), 0.2))
    assert of(Received, receive(layer, request("INVITE", branch="z9hG4bK-fourth", to_tag="b"), 0.2))


def test_requests_of_rfc_2543_are_matched_by_what_they_have() -> None:
    layer = Layer()
    old = request("INVITE", branch="1")
    transaction = begin(layer, old)
    assert receive(layer, old, 0.1) == []
    layer.respond(transaction, reply(old, 404, tag="b"), 0.2)
    assert receive(layer, request("ACK", branch="1", to_tag="b"), 0.3) == []
    assert transaction.state.name == "CONFIRMED"
    assert of(Received, receive(layer, request("INVITE", branch="1", call_id="other"), 0.4))


def test_the_same_branch_of_another_sender_is_another_transaction() -> None:
    layer = Layer()
    begin(layer, request("OPTIONS"))
    begin(layer, request("OPTIONS", sent_by="192.0.2.2:5060", call_id="other"))
    assert len(layer) == 2


def test_a_transport_failure_is_told_to_the_user_of_a_server_transaction_which_goes_on() -> None:
    layer = Layer()
    message = request("INVITE")
    transaction = begin(layer, message)
    layer.respond(transaction, reply(message, 180, tag="b"), 0.1)
    assert of(Undelivered, layer.transport_failed(transaction, 0.2))
    assert statuses(receive(layer, message, 0.3)) == [180]


def flood(layer: Layer, count: int, source: str, *, answer: bool, start_at: int = 0) -> list[int]:
    """Begin transactions; return the statuses that the layer itself gave."""
    given: list[int] = []
    for number in range(start_at, start_at + count):
        message = request("OPTIONS", branch=f"z9hG4bK-{source}-{number}", call_id=f"{source}-{number}")
        events = receive(layer, message, source=source)
        given += statuses(events)
        for received in of(Received, events):
            if answer:
                layer.respond(received.transaction, reply(message, 200, tag="b"), 0.0)
    return given


def test_one_source_cannot_take_all_places() -> None:
    layer = Layer(limits=TransactionLimits(servers=100, servers_per_source=10))
    assert flood(layer, 25, "192.0.2.66", answer=False) == [503] * 15
    assert len(layer) == 10
    assert layer.counters.overloaded == 15
    assert flood(layer, 5, "192.0.2.1", answer=False) == []


def test_a_refusal_says_when_to_come_again() -> None:
    layer = Layer(limits=TransactionLimits(servers=0, retry_after=7))
    (refusal,) = sent(receive(layer, request("INVITE")))
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.headers.get("Retry-After")) == (503, "7")
    assert refusal.to.tag
    assert is_empty(layer)


def test_who_is_busy_refuses_what_is_new_and_keeps_on_with_what_has_begun() -> None:
    layer = Layer()
    invite = request("INVITE")
    begin(layer, invite)

    def answers(message: Request) -> list[int]:
        events = layer.receive_request(
            message, "wire", reliable=False, source="192.0.2.1", now=0.0, is_busy=lambda _: True
        )
        assert len(of(Received, events)) == (message.to.tag is not None)
        return [answer.status for answer in sent(events) if isinstance(answer, Response)]

    assert answers(request("INVITE", branch="z9hG4bK-new", call_id="new")) == [503]
    assert answers(request("BYE", branch="z9hG4bK-bye", to_tag="b")) == []
    assert answers(request("CANCEL")) == [200]
    assert answers(invite) == []
    assert layer.counters.overloaded == 1


def test_answered_transactions_make_room_for_new_ones() -> None:
    layer = Layer(limits=TransactionLimits(servers=50, servers_per_source=10))
    assert flood(layer, 1000, "192.0.2.66", answer=True) == []
    assert len(layer) == 10
    assert layer.counters.evicted == 990
    run(layer, 100)
    assert is_empty(layer)


def test_refused_calls_that_are_never_acked_make_room_too() -> None:
    layer = Layer(limits=TransactionLimits(servers=50, servers_per_source=10))
    for number in range(100):
        message = request("INVITE", branch=f"z9hG4bK-{number}", call_id=str(number))
        layer.respond(begin(layer, message), reply(message, 486, tag="b"), 0.0)
    assert len(layer) == 10
    run(layer, 100)
    assert is_empty(layer)


def test_a_call_that_rings_or_was_answered_never_makes_room() -> None:
    layer = Layer(limits=TransactionLimits(servers=50, servers_per_source=2))
    for number, status in enumerate((180, 200)):
        message = request("INVITE", branch=f"z9hG4bK-call-{number}", call_id=f"call-{number}")
        layer.respond(begin(layer, message), reply(message, status, tag="b"), 0.0)
    assert flood(layer, 3, "192.0.2.1", answer=True) == [503] * 3


def test_a_call_whose_answer_is_confirmed_makes_room() -> None:
    layer = Layer(limits=TransactionLimits(servers=50, servers_per_source=2))
    for number in range(100):
        message = request("INVITE", branch=f"z9hG4bK-{number}", call_id=str(number))
        layer.respond(begin(layer, message), reply(message, 200, tag="b"), 0.0)
        ack = request("ACK", branch=f"z9hG4bK-ack-{number}", call_id=str(number), to_tag="b")
        assert len(of(Acknowledged, receive(layer, ack))) == 1
    assert len(layer) == 2
    run(layer, 100)
    assert is_empty(layer)


def test_our_own_requests_that_are_answered_make_room_for_new_ones() -> None:
    layer = Layer(limits=TransactionLimits(clients=2))
    for number in range(100):
        message = request("INVITE", branch=f"z9hG4bK-{number}", call_id=str(number))
        start(layer, message)
        assert of(Responded, layer.receive_response(reply(message, 200, tag="b"), 0.0))
    assert len(layer) == 2
    start(layer, request("BYE", branch="z9hG4bK-bye"))
    start(layer, request("BYE", branch="z9hG4bK-bye-2"))
    _, events = layer.start_client(request("BYE", branch="z9hG4bK-3"), "wire", reliable=False, now=0.0)
    assert [event.cause for event in of(Failed, events)] == ["overload"]
    run(layer, 100)
    assert is_empty(layer)


def test_when_all_is_full_the_largest_source_gives_way_to_a_new_one() -> None:
    layer = Layer(limits=TransactionLimits(servers=20, servers_per_source=15))
    flood(layer, 15, "192.0.2.66", answer=True)
    flood(layer, 5, "192.0.2.67", answer=True)
    assert flood(layer, 3, "192.0.2.1", answer=False) == []
    assert layer._room._by_source == {"192.0.2.66": 12, "192.0.2.67": 5, "192.0.2.1": 3}


def test_stopped_timers_do_not_pile_up() -> None:
    layer = Layer(limits=TransactionLimits(servers=10, servers_per_source=10))
    flood(layer, 5000, "192.0.2.66", answer=True)
    assert len(layer._clock._heap) < 1000


def test_base_values_can_be_set() -> None:
    layer = Layer(timers=TimerValues(t1=0.1))
    start(layer, request("OPTIONS"))
    assert [now for now, event in run(layer, 100) if isinstance(event, Failed)] == [pytest.approx(6.4)]


def test_clearing_forgets_everything() -> None:
    layer = Layer()
    start(layer, request("INVITE"))
    begin(layer, request("INVITE"))
    layer.clear()
    assert is_empty(layer)
