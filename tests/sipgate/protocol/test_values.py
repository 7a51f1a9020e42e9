"""Each parser of a single value, against the grammar: what is valid is read and written again; nothing else escapes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.address import Address
from sipgate.protocol.cseq import CSeq
from sipgate.protocol.digest import Credentials, parse_fields
from sipgate.protocol.errors import SipError
from sipgate.protocol.headers import Headers
from sipgate.protocol.media_type import MediaType
from sipgate.protocol.message import parse_number
from sipgate.protocol.scanner import parse_parameters, quote, split, unquote
from sipgate.protocol.uri import Uri
from sipgate.protocol.via import Via

from . import grammar

Parse = Callable[[str], Any]
VALUES: list[tuple[Parse, st.SearchStrategy[str]]] = [
    (Uri.parse, grammar.uris),
    (Address.parse, grammar.addresses()),
    (Via.parse, grammar.vias()),
    (CSeq.parse, grammar.cseqs),
    (MediaType.parse, grammar.media_types),
]
PARSERS: list[Parse] = [
    *(parse for parse, _ in VALUES),
    Credentials.parse,
    parse_fields,
    lambda text: parse_parameters(text, "test"),
    lambda text: split(text, ","),
]


def survives(parse: Parse, text: str) -> None:
    """Check that a value that was read can stand in a header, cross the wire, and means the same there."""
    value = parse(text)
    written = str(value)
    headers = Headers()
    headers.add("X", written)
    assert f"X: {written}\r\n".encode("utf-8", "surrogateescape") == str(headers).encode(
        "utf-8", "surrogateescape"
    )
    assert parse(written) == value
    assert str(parse(written)) == written


@pytest.mark.parametrize(("parse", "values"), VALUES)
@given(data=st.data())
def test_valid_values_are_read_and_mean_the_same_when_written(
    parse: Parse, values: st.SearchStrategy[str], data: st.DataObject
) -> None:
    survives(parse, data.draw(values))


@pytest.mark.parametrize(("parse", "values"), VALUES)
@given(data=st.data())
def test_spoilt_values_raise_only_the_one_exception(
    parse: Parse, values: st.SearchStrategy[str], data: st.DataObject
) -> None:
    text = data.draw(grammar.spoilt(values))
    try:
        parse(text)
    except SipError:
        return
    survives(parse, text)


@pytest.mark.parametrize("parse", PARSERS)
@given(text=st.one_of(grammar.evil_text, grammar.evil_text.map(lambda text: f"Digest {text}")))
def test_hostile_text_raises_only_the_one_exception(parse: Parse, text: str) -> None:
    try:
        parse(text)
    except SipError:
        return


@given(st.text())
def test_what_is_quoted_is_unquoted(text: str) -> None:
    assert unquote(quote(text)) == text


@given(st.lists(grammar.addresses(), min_size=1, max_size=5))
def test_a_list_is_cut_only_between_its_values(values: list[str]) -> None:
    assert split(" , ".join(values), ",") == [value.strip(" \t") for value in values]


@pytest.mark.parametrize("number", ["é", "²", "٣", "1٣", "+1", "-1", "1_0", "0x1", "1.0", "", "1" * 5000])
@pytest.mark.parametrize(
    "parse",
    [
        lambda number: CSeq.parse(f"{number} INVITE"),
        lambda number: Uri.parse(f"sip:a@b:{number}"),
        lambda number: Via.parse(f"SIP/2.0/UDP b:{number};branch=c"),
        lambda number: parse_number(number, "Expires", 2**32 - 1),
    ],
)
def test_only_ascii_digits_are_a_number(parse: Parse, number: str) -> None:
    with pytest.raises(SipError):
        parse(number)
