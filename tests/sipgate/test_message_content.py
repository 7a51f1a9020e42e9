"""What stands in the bodies of MESSAGE, from phones and from nodes, hostile or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.messages.content import ACCEPTED, MAX_TEXT, is_text, seal_in, sealed_of, text_of
from sipgate.ports import LocalUser, Refusal
from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request

parts = st.binary(min_size=1, max_size=300)


def message(content_type: str | None, body: bytes) -> Request:
    request = Request("MESSAGE", "sip:bob@mesh")
    request.set_body(content_type, body)
    return request


def refused(read: Callable[[Request], object], request: Request) -> int | None:
    """Return the status that a body is refused with; any other exception is a fault."""
    try:
        read(request)
    except (Refusal, SipError) as error:
        return error.status
    return None


@given(parts, parts, parts)
def test_what_a_node_seals_in_comes_out(letter: bytes, key: bytes, delegation: bytes) -> None:
    user = LocalUser("sip:alice@mesh", "alice", "alice", key, delegation, "")
    sealed = sealed_of(message(*seal_in(letter, user)))
    assert (sealed.letter, sealed.openpgp_key, sealed.delegation) == (letter, key, delegation)


@given(st.data())
def test_a_damaged_body_is_refused_or_read_with_a_typed_answer(data: st.DataObject) -> None:
    user = LocalUser("sip:alice@mesh", "alice", "alice", b"key", b"delegation", "")
    content_type, body = seal_in(b"letter", user)
    raw = bytearray(body)
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    assert refused(sealed_of, message(content_type, bytes(raw))) in (None, 400, 413, 415)


@given(st.text(max_size=80), st.binary(max_size=200))
def test_whatever_a_phone_or_node_sends_the_answer_is_typed(content_type: str, body: bytes) -> None:
    if "\r" in content_type or "\n" in content_type:
        return
    for read in (text_of, sealed_of):
        assert refused(read, message(content_type, body)) in (None, 400, 413, 415)


@given(st.sampled_from(ACCEPTED), st.binary(min_size=1, max_size=MAX_TEXT))
def test_text_comes_out_byte_for_byte(content_type: str, body: bytes) -> None:
    text = text_of(message(content_type, body))
    assert (text.content_type, text.body) == (content_type, body)


@pytest.mark.parametrize(
    "content_type", ["TEXT/Plain; charset=utf-16", 'text/plain;charset="x;y"', "text/plain ; a=b"]
)
def test_parameters_and_case_do_not_matter_and_stay(content_type: str) -> None:
    assert is_text(content_type)
    assert text_of(message(content_type, b"x")).content_type == content_type


def test_without_a_type_it_is_plain_text() -> None:
    assert text_of(message(None, b"x")).content_type == "text/plain"
    with pytest.raises(Refusal):
        text_of(message("text/plain;x=" + "y" * 300, b"x"))
