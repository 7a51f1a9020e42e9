"""What a page may say."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freecall.browser.messages import FIELDS, BadMessage, Wish

GOOD = {"id": "p1", "uri": "sip:bob@mesh", "sdp": "v=0\r\n"}


@pytest.mark.parametrize("do", sorted(FIELDS))
def test_each_wish_is_read_with_its_own_fields_and_no_others(do: str) -> None:
    said = {"do": do, "id": "p1", **{name: GOOD[name] for name in FIELDS[do]}}
    wish = Wish.parse(json.dumps(said))
    assert (wish.do, wish.id) == (do, "p1")
    for name in said:
        with pytest.raises(BadMessage):
            Wish.parse(json.dumps({key: value for key, value in said.items() if key != name}))
    with pytest.raises(BadMessage):
        Wish.parse(json.dumps({**said, "more": "x"}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        "[" * 50_000,
        '{"do": 1, "id": "p1"}',
        '{"do": "decline", "id": 1}',
        '{"do": "decline", "id": "x1"}',
        '{"do": "decline", "id": "p1234567890"}',
        '{"do": "call", "id": "n1", "uri": "bob@mesh", "sdp": ""}',
        '{"do": "answer", "id": "n1", "sdp": "v=0 \\u00e9"}',
        json.dumps({"do": "call", "id": "p1", "uri": "x" * 513, "sdp": ""}),
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        Wish.parse(text)


@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x)).map(json.dumps))
def test_nothing_that_is_said_raises_anything_else(text: str) -> None:
    with suppress(BadMessage):
        Wish.parse(text)
