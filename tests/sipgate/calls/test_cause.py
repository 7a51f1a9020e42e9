"""Reason headers, both ways."""

import pytest
from hypothesis import given, strategies

from sipgate.calls.cause import MAX_TEXT, Cause, parse_reason, phrase, plain
from sipgate.ports import Refusal


def test_a_cause_is_written_as_rfc_3326_says() -> None:
    assert str(Cause(200, "Call completed elsewhere")) == 'SIP;cause=200;text="Call completed elsewhere"'


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        ('SIP;cause=200;text="Call completed elsewhere"', Cause(200, "Call completed elsewhere")),
        ("SIP ; cause = 486", Cause(486, "")),
        ('sip;text="a;b=\\"c\\"";cause=603', Cause(603, 'a;b="c"')),
        ('Q.850;cause=16;text="Terminated"', None),
        ("SIP;cause=99", None),
        ("SIP;cause=²²²", None),
        ("SIP", None),
        ("", None),
    ],
)
def test_a_reason_is_read_strictly(value: str, cause: Cause | None) -> None:
    assert parse_reason([value]) == cause


def test_the_first_sip_reason_counts() -> None:
    assert parse_reason(["Q.850;cause=16", "SIP;cause=600", "SIP;cause=200"]) == Cause(600, "")


@given(strategies.integers(200, 699), strategies.text(max_size=400))
def test_what_is_written_is_read_back(status: int, text: str) -> None:
    assert parse_reason([str(Cause(status, text))]) == Cause(status, plain(text, MAX_TEXT))


@given(strategies.text(max_size=400))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    cause = parse_reason([text])
    assert cause is None or len(cause.text) <= MAX_TEXT


def test_a_long_sentence_is_cut_between_words_for_the_phone() -> None:
    said = phrase(
        Refusal(403, "The key of bob has changed since you last spoke, and nobody has confirmed the new one")
    )
    assert said == "The key of bob has changed since you last spoke, and nobody has..."
    assert phrase(Refusal(404, "\n")) == "Nobody has this name"
