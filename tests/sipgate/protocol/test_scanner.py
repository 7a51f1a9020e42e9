"""Splitting header values outside quoted strings and angle brackets."""

import pytest

from sipgate.protocol.errors import SipError
from sipgate.protocol.scanner import split


def test_a_part_has_one_pair_of_angle_brackets_at_most() -> None:
    assert split('<a>;x, "<>" <b>', ",") == ["<a>;x", '"<>" <b>']
    with pytest.raises(SipError, match="angle brackets"):
        split("<a><b>, <c>", ",")
