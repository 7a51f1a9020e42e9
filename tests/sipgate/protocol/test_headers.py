import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.headers import (
    COMPACT,
    LISTS,
    MAX_HEADER_VALUE,
    MAX_HEADERS,
    Headers,
    fold_name,
    parse_headers,
)
from sipgate.protocol.message import Request, Response
from sipgate.protocol.scanner import MAX_VALUES


def headers() -> Headers:
    return Headers([("Via", "a, b"), ("v", "c"), ("X", "1"), ("Via", '"d, e"'), ("x-other", "2")])


def test_names_match_without_case_and_in_compact_form() -> None:
    assert headers().get_all("VIA") == headers().get_all("v") == ["a", "b", "c", '"d, e"']
    assert headers().get("V") == "a, b"
    assert "via" in headers()
    assert "Y" not in headers()
    assert headers().count("Via") == 3
    assert all(fold_name(short) == fold_name(long.title()) for short, long in COMPACT.items())


def test_x_is_session_expires() -> None:
    """A name of one letter may be a compact form (RFC 4028)."""
    assert headers().get("Session-Expires") == "1"


def test_only_lists_are_cut_at_commas() -> None:
    found = Headers([("Subject", "a, b"), ("Date", "Sat, 13 Nov"), ("Authorization", 'Digest a="b", c=d')])
    assert [found.get_all(name) for name in ("Subject", "Date", "Authorization")] == [
        ["a, b"],
        ["Sat, 13 Nov"],
        ['Digest a="b", c=d'],
    ]
    assert not LISTS & {"authorization", "date", "subject", "from", "to", "call-id", "cseq", "identity"}


def test_a_change_keeps_the_order_of_all_others() -> None:
    changed = headers()
    changed.set("Via", "z")
    assert changed.items() == [("Via", "z"), ("X", "1"), ("x-other", "2")]
    changed.prepend("x", "0")
    assert changed.items() == [("Via", "z"), ("x", "0"), ("X", "1"), ("x-other", "2")]
    changed.prepend("New", "first")
    changed.set("Last", "l")
    assert [name for name, _ in changed] == ["New", "Via", "x", "X", "x-other", "Last"]
    changed.remove("X")
    assert len(changed) == 4


def test_the_first_value_goes_and_the_rest_of_its_line_stays() -> None:
    found = headers()
    for left in (["b", "c", '"d, e"'], ["c", '"d, e"'], ['"d, e"'], [], []):
        found.remove_first("v")
        assert found.get_all("Via") == left


def test_a_copy_is_independent_and_equal() -> None:
    one = headers()
    other = one.copy()
    assert one == other
    other.add("Y", "z")
    assert one != other
    assert "Y" not in one


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\r", "\nb", "\r\n folded"])
@pytest.mark.parametrize("change", [Headers.add, Headers.set, Headers.prepend])
def test_nobody_writes_lines_of_their_own(change: object, value: str) -> None:
    for name, text in (("Subject", value), (f"Subject{value}", "x"), ("", "x"), ("a b", "x"), ("a:", "x")):
        with pytest.raises(ValueError, match="not a header"):
            change(Headers(), name, text)  # type: ignore[operator]


@pytest.mark.parametrize("text", ["a\r\nX: y", "a\nb", "a\rb"])
def test_nobody_writes_start_lines_of_their_own(text: str) -> None:
    for message in (Request(text, "sip:a@b"), Request("BYE", text), Response(200, text)):
        with pytest.raises(ValueError, match="not a start line"):
            bytes(message)


@given(st.text(max_size=40))
def test_any_other_text_can_be_sent(text: str) -> None:
    """Whatever a peer wrote, but a line break, can stand in a header; `surrogateescape` brings back its bytes."""
    clean = text.replace("\r", "").replace("\n", "").encode("utf-8", "replace").decode()
    for value in (clean, clean + "\udc80\udcff"):
        assert bytes(Response(200, value, Headers([("X", value)])))


@pytest.mark.parametrize(
    "lines",
    [["a"], [": x"], ["a b: x"], ["a: x\n"], ["a: x\ry"], ["\na: x"], ["a: x", " b\n"], [" a: x"], ["é: x"]],
)
def test_what_is_no_header_line_is_400(lines: list[str]) -> None:
    with pytest.raises(SipError) as caught:
        parse_headers(lines)
    assert caught.value.status == 400


def test_the_caps() -> None:
    assert len(parse_headers(["X: y"] * MAX_HEADERS)) == MAX_HEADERS
    parse_headers(["X: " + "y" * MAX_HEADER_VALUE])
    for lines in (
        ["X: y"] * (MAX_HEADERS + 1),
        ["X: " + "y" * (MAX_HEADER_VALUE + 1)],
        ["X: y", *[" z" * 99] * 99],
    ):
        with pytest.raises(SipError) as caught:
            parse_headers(lines)
        assert caught.value.status == 513
    assert len(Headers([("Via", "a")] * MAX_VALUES).get_all("Via")) == MAX_VALUES
    assert len(Headers([("Via", "," * 20)]).get_all("Via")) == 0
    for many in ([("Via", "a")] * (MAX_VALUES + 1), [("Via", "a," * 70)] * 2, [("Via", '"",' * 200)]):
        with pytest.raises(SipError):
            Headers(many).get_all("Via")
