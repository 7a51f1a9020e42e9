"""Splitting header values outside quoted strings and angle brackets; parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.scanner import parse_parameters, split


@pytest.mark.parametrize("text", ['"a""b", c', '"a" \t"b"', 'x="a" "b";y'])
def test_no_quoted_string_follows_another_without_anything_between(text: str) -> None:
    with pytest.raises(SipError, match="quoted string"):
        split(text, ",")


def test_several_quoted_strings_may_stand_in_one_value() -> None:
    assert split('"a" <b>;x="c";y="d", "e" <f>', ",") == ['"a" <b>;x="c";y="d"', '"e" <f>']


def test_a_part_has_one_pair_of_angle_brackets_at_most() -> None:
    assert split('<a>;x, "<>" <b>', ",") == ["<a>;x", '"<>" <b>']
    with pytest.raises(SipError, match="angle brackets"):
        split("<a><b>, <c>", ",")


@pytest.mark.parametrize("text", ['h""' * 5000, 'a="\\""' * 4000])
def test_nobody_makes_us_count_thousands_of_quoted_strings(text: str) -> None:
    with pytest.raises(SipError, match="Too many values"):
        split(text, ",")


@given(st.lists(st.text("aB.-=[]: é", max_size=6), min_size=1, max_size=6))
def test_parameters_read_at_a_glance_are_those_read_step_by_step(parts: list[str]) -> None:
    assert parameters_of(";" + ";".join(parts)) == parameters_of("; " + "; ".join(parts))


def parameters_of(text: str) -> dict[str, str | None] | None:
    try:
        return parse_parameters(text, "test")
    except SipError:
        return None
