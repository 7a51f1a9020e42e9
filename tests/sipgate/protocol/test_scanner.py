"""Splitting header values outside quoted strings and angle brackets."""

import pytest

from sipgate.protocol.errors import SipError
from sipgate.protocol.scanner import split


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
