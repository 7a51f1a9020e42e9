"""Session timers: what two sides agree on, and when a call is refreshed or counts as dead."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request, Response, reply
from sipgate.protocol.session_timer import (
    MIN_SE,
    Agreement,
    Due,
    SessionExpires,
    SessionTimer,
    agree_as_uac,
    agree_as_uas,
    in_request,
    in_response,
    min_se,
    supports,
)
from tests.sipgate.samples import request

OURS = Agreement(180)
INTERVALS = st.integers(MIN_SE, 100_000)


def invite(**headers: str) -> Request:
    made = request("INVITE")
    for name, value in headers.items():
        made.headers.add(name.replace("_", "-"), value)
    return made


def answered(agreement: Agreement) -> Response:
    made = reply(invite(), 200, tag="b")
    for name, value in in_response(agreement):
        made.headers.add(name, value)
    return made


@given(st.integers(0, 2**31 - 1), st.sampled_from([None, "uac", "uas"]))
def test_what_is_written_is_read(seconds: int, refresher: None) -> None:
    said = SessionExpires(seconds, refresher)
    assert SessionExpires.of(invite(Session_Expires=str(said))) == said


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "99999999999", "180;refresher=both", "180;refresher", "180 180"]
)
def test_what_is_no_interval_is_refused(text: str) -> None:
    if text == "180;refresher":
        assert SessionExpires.of(invite(Session_Expires=text)) == SessionExpires(180)
        return
    with pytest.raises(SipError):
        SessionExpires.of(invite(Session_Expires=text))


def test_it_stands_there_once() -> None:
    twice = invite(Session_Expires="180")
    twice.headers.add("x", "180")
    with pytest.raises(SipError):
        SessionExpires.of(twice)


def test_a_phone_without_timers_is_watched_by_us() -> None:
    assert agree_as_uas(invite(), OURS, MIN_SE) == Agreement(180)
    assert in_response(Agreement(180)) == []
    assert agree_as_uac(answered(Agreement(180)), OURS) == Agreement(180)


@pytest.mark.parametrize(
    ("said", "agreed"),
    [
        ({}, Agreement(180, has_timer=True)),
        ({"Session_Expires": "1800"}, Agreement(180, has_timer=True)),
        ({"Session_Expires": "100"}, Agreement(100, has_timer=True)),
        ({"Session_Expires": "1800;refresher=uac"}, Agreement(180, we_refresh=False, has_timer=True)),
        ({"Session_Expires": "1800", "Min_SE": "600"}, Agreement(600, has_timer=True)),
        ({"Min_SE": "600"}, Agreement(600, has_timer=True)),
    ],
)
def test_what_a_caller_with_timers_gets(said: dict[str, str], agreed: Agreement) -> None:
    assert agree_as_uas(invite(Supported="timer", **said), OURS, MIN_SE) == agreed


def test_an_interval_below_ninety_seconds_is_refused() -> None:
    with pytest.raises(SipError) as refused:
        agree_as_uas(invite(Supported="timer", Session_Expires="89"), OURS, MIN_SE)
    assert refused.value.status == 422


def test_the_phone_is_required_to_refresh_what_it_has_taken_over() -> None:
    assert ("Require", "timer") in in_response(Agreement(180, we_refresh=False, has_timer=True))
    assert ("Require", "timer") not in in_response(Agreement(180, has_timer=True))


@given(INTERVALS, INTERVALS, st.sampled_from(["", ";refresher=uac", ";refresher=uas"]))
def test_both_sides_mean_the_same(ours: int, theirs: int, refresher: str) -> None:
    asked = invite(Supported="timer", Session_Expires=f"{theirs}{refresher}")
    callee = agree_as_uas(asked, Agreement(ours), MIN_SE)
    caller = agree_as_uac(answered(callee), Agreement(theirs))
    assert callee.interval == caller.interval <= max(theirs, MIN_SE)
    assert caller.we_refresh is not callee.we_refresh


@given(INTERVALS, st.booleans())
def test_our_refresh_keeps_the_roles(interval: int, ours: bool) -> None:
    update = invite(Supported="timer")
    for name, value in in_request(Agreement(interval, we_refresh=ours, has_timer=True)):
        update.headers.add(name, value)
    before = Agreement(interval, we_refresh=not ours, has_timer=True)
    assert agree_as_uas(update, before, MIN_SE) == before


def test_min_se_is_ninety_unless_it_is_said() -> None:
    assert min_se(invite()) == 90
    assert min_se(invite(Min_SE="300;x=y")) == 300
    assert supports(invite(Require="timer"))
    assert not supports(invite(Supported="100rel"))


def test_who_refreshes_does_so_in_the_middle_and_who_does_not_waits_till_near_the_end() -> None:
    timer = SessionTimer()
    timer.begin(Agreement(180), 1000)
    assert timer.wake_at == 1090
    assert timer.wake(1089) is None
    assert timer.wake(1090) is Due.REFRESH
    assert timer.wake(1147) is None
    assert timer.wake(1148) is Due.EXPIRED
    assert timer.wake_at is None
    timer.begin(Agreement(90, we_refresh=False, has_timer=True), 1000)
    assert timer.wake_at == 1060
    assert timer.wake(1060) is Due.EXPIRED


def test_a_refresh_that_must_wait_is_tried_again_until_the_end() -> None:
    timer = SessionTimer()
    timer.begin(Agreement(180), 0)
    tries, due, now = 0, None, 0.0
    while timer.wake_at is not None:
        now = timer.wake_at
        due = timer.wake(now)
        if due is Due.REFRESH:
            tries += 1
            timer.put_off(now)
    assert (due, now) == (Due.EXPIRED, 148)
    assert 10 < tries < 15


def test_nothing_is_due_when_it_is_off_or_over() -> None:
    timer = SessionTimer()
    assert timer.wake(10**9) is None
    timer.begin(Agreement(0), 0)
    assert timer.wake_at is None
    timer.begin(Agreement(180), 0)
    timer.stop()
    timer.put_off(1)
    assert timer.wake(10**9) is None


@given(st.integers(1, 10_000), st.booleans(), st.lists(st.sampled_from(["begin", "put_off", "silence"])))
def test_a_silent_side_is_always_found_out_before_the_interval_is_over(
    interval: int,
    ours: bool,
    fates: list[str],
) -> None:
    assume(interval > 0)
    agreement = Agreement(interval, we_refresh=ours, has_timer=True)
    timer, now, last = SessionTimer(), 0.0, 0.0
    timer.begin(agreement, now)
    for fate in [*fates, *["silence"] * 3]:
        if timer.wake_at is None:
            break
        now = timer.wake_at
        if timer.wake(now) is Due.EXPIRED:
            assert now - last < interval
            return
        if fate == "begin":
            timer.begin(agreement, now)
            last = now
        elif fate == "put_off":
            timer.put_off(now)
    while timer.wake_at is not None:
        now = timer.wake_at
        timer.wake(now)
    assert now - last < interval
