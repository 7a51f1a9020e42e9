"""Loss, jitter, reordering, reports and the estimate: from headers alone."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.protocol.quality import MAX_REMEMBERED_REPORTS, Reception, Reports, mean_opinion_score


def packet(number: int, *, ssrc: int = 7, timestamp: int | None = None) -> bytes:
    stamp = number * 160 if timestamp is None else timestamp
    return struct.pack("!BBHII", 0x80, 0, number % 2**16, stamp % 2**32, ssrc) + bytes(160)


def heard(*numbers: int) -> Reception:
    reception = Reception()
    for number in numbers:
        reception.receive(packet(number), number * 0.02)
    return reception


def sender_report(ntp_middle: int) -> bytes:
    return struct.pack("!BBHIQIII", 0x80, 200, 6, 7, ntp_middle << 16, 0, 0, 0)


def receiver_report(*, fraction: int = 0, highest: int = 0, lsr: int = 0, dlsr: int = 0) -> bytes:
    block = struct.pack("!IB3xIIII", 7, fraction, highest, 0, lsr, dlsr)
    return struct.pack("!BBHI", 0x81, 201, 7, 9) + block


def test_an_even_stream_has_no_loss_and_no_jitter() -> None:
    reception = heard(*range(100))
    assert (reception.expected, reception.lost, reception.reordered) == (100, 0, 0)
    assert reception.jitter_ms == pytest.approx(0, abs=1e-6)


def test_a_gap_is_loss() -> None:
    reception = heard(*(number for number in range(100) if number % 10 != 5))
    assert reception.lost == 10
    assert reception.loss == pytest.approx(0.1)


def test_a_late_packet_is_reordered_and_not_lost() -> None:
    reception = heard(1, 2, 4, 3, 5)
    assert (reception.lost, reception.reordered) == (0, 1)


def test_the_numbers_wrap_around() -> None:
    reception = heard(*range(65_500, 65_600))
    assert (reception.expected, reception.lost) == (100, 0)


def test_a_sender_that_starts_over_loses_nothing() -> None:
    reception = heard(*range(100), *range(30_000, 30_100))
    assert (reception.expected, reception.lost) == (200, 0)


def test_another_source_is_counted_on() -> None:
    reception = heard(*range(10))
    for number in range(5_000, 5_010):
        reception.receive(packet(number, ssrc=8), number * 0.02)
    assert (reception.expected, reception.lost) == (20, 0)


def test_jitter_is_that_of_rfc_3550() -> None:
    reception = Reception()
    for number in range(2_000):
        reception.receive(packet(number), number * 0.02 + (number % 2) * 0.01)
    assert reception.jitter_ms == pytest.approx(10, rel=0.01)


def test_the_timestamp_wrapping_around_is_no_jitter() -> None:
    reception = Reception()
    for number in range(200):
        reception.receive(packet(number, timestamp=2**32 - 16_000 + number * 160), number * 0.02)
    assert reception.jitter_ms == pytest.approx(0, abs=1e-3)


@given(st.lists(st.tuples(st.integers(0, 65_535), st.integers(0, 2**32 - 1), st.integers(0, 2)), max_size=80))
def test_whatever_comes_the_figures_are_sane(fields: list[tuple[int, int, int]]) -> None:
    reception = Reception()
    for at, (number, stamp, ssrc) in enumerate(fields):
        reception.receive(packet(number, timestamp=stamp, ssrc=ssrc), at * 0.02)
    assert reception.received == len(fields)
    assert 0 <= reception.loss <= 1
    assert 0 <= reception.jitter_ms < 60_000


def test_a_report_tells_the_far_loss_and_the_round_trip() -> None:
    reports = Reports()
    reports.send(sender_report(0xABCD), 10.0)
    reports.receive(receiver_report(fraction=64, highest=77, lsr=0xABCD, dlsr=65_536), 11.25)
    assert (reports.far_loss, reports.far_received) == (0.25, 77)
    assert reports.round_trip_ms == pytest.approx(250)


def test_a_report_that_answers_none_of_ours_tells_no_round_trip() -> None:
    reports = Reports()
    reports.receive(receiver_report(lsr=0), 1.0)
    assert reports.round_trip_ms is None


def test_only_the_last_sender_reports_are_remembered() -> None:
    reports = Reports()
    for middle in range(MAX_REMEMBERED_REPORTS + 1):
        reports.send(sender_report(middle), float(middle))
    reports.receive(receiver_report(lsr=0), 50.0)
    assert reports.round_trip_ms is None
    reports.receive(receiver_report(lsr=1), 50.0)
    assert reports.round_trip_ms == pytest.approx(49_000)


@given(st.binary(min_size=8, max_size=200))
def test_reports_that_are_cut_short_or_lie_do_no_harm(noise: bytes) -> None:
    reports = Reports()
    for data in (noise, sender_report(1) + noise, b"\x9f\xc9" + noise):
        reports.send(data, 1.0)
        reports.receive(data, 2.0)
    assert reports.far_loss is None or 0 <= reports.far_loss < 1


def test_the_best_call_is_rated_4_41_as_in_g_107() -> None:
    assert mean_opinion_score(0, 0) == pytest.approx(4.41, abs=0.005)


def test_loss_and_delay_make_it_worse_and_never_leave_the_scale() -> None:
    dice = random.Random(1)
    for _ in range(200):
        loss, delay = dice.random(), dice.random() * 2_000
        better, worse = mean_opinion_score(loss, delay), mean_opinion_score(min(1, loss + 0.1), delay + 100)
        assert 1 <= worse <= better + 0.005 <= 4.42
