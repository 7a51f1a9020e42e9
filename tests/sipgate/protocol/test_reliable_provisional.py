"""Reliable provisional responses: both sides joined by a wire that loses, repeats and reorders."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.cseq import CSeq
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response, reply
from sipgate.protocol.reliable_provisional import (
    MAX_FIRST_RSEQ,
    RAck,
    ReliableReceiver,
    ReliableSender,
    requires,
    wants,
)
from tests.sipgate.samples import request

T1 = 0.5


def invite(**headers: str) -> Request:
    made = request("INVITE")
    for name, value in headers.items():
        made.headers.add(name, value)
    return made


def progress(status: int = 183) -> Response:
    return reply(invite(), status, tag="b")


def number(response: Response) -> int:
    return int(response.headers.get("RSeq") or "")


@given(st.integers(1, 2**32 - 1), st.integers(0, 2**31 - 1))
def test_what_is_written_is_read(rseq: int, cseq: int) -> None:
    rack = RAck(rseq, CSeq(cseq, "INVITE"))
    assert RAck.parse(str(rack)) == rack


@pytest.mark.parametrize(
    "text", ["", "1", "0 1 INVITE", "4294967296 1 INVITE", "1 INVITE", "-1 1 INVITE", "1 2 3"]
)
def test_what_is_no_rack_is_refused(text: str) -> None:
    if text == "1 2 3":
        assert RAck.parse(text).cseq.method == "3"
        return
    with pytest.raises(SipError):
        RAck.parse(text)


def test_who_wants_and_who_insists() -> None:
    assert not wants(invite())
    assert wants(invite(Supported="timer, 100REL"))
    assert wants(invite(Require="100rel"))
    assert not requires(invite(Supported="100rel"))


def test_a_response_is_numbered_and_repeated_in_doubling_intervals_until_its_prack() -> None:
    sender = ReliableSender(7, T1)
    (sent,) = sender.send(progress(), 0)
    assert (number(sent), sent.headers.get("Require")) == (7, "100rel")
    times: list[float] = []
    while sender.wake_at is not None and len(times) < 4:
        now = sender.wake_at
        assert sender.wake(now) == [sent]
        times.append(now)
    assert times == [0.5, 1.5, 3.5, 7.5]
    assert sender.prack(RAck(7, sent.cseq), invite(), 8) == []
    assert sender.is_settled
    assert sender.wake_at is None


def test_nobody_confirms_and_it_ends_after_64_t1() -> None:
    sender = ReliableSender(7, T1)
    sender.send(progress(), 0)
    sender.send(progress(180), 0)
    now = 0.0
    while sender.wake_at is not None:
        now = sender.wake_at
        sender.wake(now)
    assert sender.has_failed
    assert sender.is_settled
    assert now == 32
    assert sender.send(progress(), 33) == []


def test_the_second_waits_for_the_first() -> None:
    sender = ReliableSender(1, T1)
    (first,) = sender.send(progress(), 0)
    assert sender.send(progress(180), 0) == []
    (second,) = sender.prack(RAck(1, first.cseq), invite(), 1)
    assert (number(second), second.status) == (2, 180)


@pytest.mark.parametrize(
    "rack", [RAck(6, CSeq(1, "INVITE")), RAck(8, CSeq(1, "INVITE")), RAck(7, CSeq(2, "INVITE"))]
)
def test_a_prack_for_something_else_is_refused(rack: RAck) -> None:
    sender = ReliableSender(7, T1)
    (sent,) = sender.send(progress(), 0)
    assert sent.cseq == CSeq(1, "INVITE")
    with pytest.raises(SipError) as refused:
        sender.prack(rack, invite(), 1)
    assert refused.value.status == 481
    sender.prack(RAck(7, sent.cseq), invite(), 1)
    with pytest.raises(SipError):
        sender.prack(RAck(7, sent.cseq), invite(), 1)


def test_the_queue_is_bounded() -> None:
    sender = ReliableSender(1, T1)
    for _ in range(1000):
        sender.send(progress(), 0)
    assert len(sender._waiting) <= 16


def test_the_receiver_takes_each_once_and_in_order() -> None:
    receiver = ReliableReceiver()

    def taken(rseq: int) -> bool:
        response = progress()
        response.headers.add("RSeq", str(rseq))
        return receiver.take(response) is not None

    assert [taken(each) for each in (5, 5, 7, 6, 6, 5, 7)] == [True, False, False, True, False, False, True]


def test_a_response_without_a_number_is_no_reliable_one() -> None:
    with pytest.raises(SipError):
        ReliableReceiver().take(progress())


@given(
    st.integers(1, MAX_FIRST_RSEQ),
    st.lists(st.integers(101, 199), min_size=1, max_size=6),
    st.lists(st.sampled_from(["deliver", "lose", "twice"]), max_size=60),
)
def test_whatever_the_wire_does_all_arrive_in_order_or_it_ends(
    first: int, statuses: list[int], wire: list[str]
) -> None:
    sender, receiver, fates = ReliableSender(first, T1), ReliableReceiver(), iter(wire)
    seen: list[int] = []
    now = 0.0
    on_the_way = [response for status in statuses for response in sender.send(progress(status), now)]
    while on_the_way or sender.wake_at is not None:
        if not on_the_way:
            assert sender.wake_at is not None
            now = sender.wake_at
            on_the_way = sender.wake(now)
            continue
        response = on_the_way.pop(0)
        fate = next(fates, "deliver")
        for _ in range({"lose": 0, "deliver": 1, "twice": 2}[fate]):
            rack = receiver.take(response)
            if rack is None:
                continue
            seen.append(response.status)
            if (
                next(fates, "deliver") == "lose"
            ):  # the PRACK's own transaction repeats it: here it is just late
                now += T1
            on_the_way += sender.prack(rack, invite(), now)
    assert sender.is_settled
    assert seen == statuses[: len(seen)]
    assert sender.has_failed or seen == statuses
