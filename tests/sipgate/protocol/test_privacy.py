"""The Privacy header, and who is nobody."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipgate.protocol.errors import SipError
from sipgate.protocol.message import Request
from sipgate.protocol.privacy import Privacy, is_anonymous
from sipgate.protocol.uri import Uri


def asked(*values: str) -> Privacy:
    request = Request("INVITE", "sip:bob@mesh")
    for value in values:
        request.headers.add("Privacy", value)
    return Privacy.of(request)


@pytest.mark.parametrize("value", ["id", "user", "header", "session", "ID;critical", "id ; header"])
def test_each_level_keeps_the_name_back(value: str) -> None:
    assert asked(value).hides_name
    assert not asked(value).is_none


def test_none_asks_for_nothing_to_be_kept_back_and_silence_for_nothing_at_all() -> None:
    assert asked("none").is_none
    assert not asked("none").hides_name
    assert not asked().is_none
    assert not asked().hides_name
    assert not asked("critical").hides_name
    assert not asked("history").hides_name


@pytest.mark.parametrize(("value", "too_much"), [("id;critical", False), ("header;user;critical", False)])
def test_a_node_can_keep_names_and_headers_back(value: str, too_much: bool) -> None:
    assert asked(value).asks_too_much is too_much


@pytest.mark.parametrize("value", ["session;critical", "id;critical;session", "history;critical"])
def test_it_cannot_hide_its_address_nor_do_what_it_does_not_know(value: str) -> None:
    assert asked(value).asks_too_much
    assert not asked(value.replace(";critical", "").replace("critical;", "")).asks_too_much


@pytest.mark.parametrize("value", ["none;id", ";", "id;", "i d", "id;" * 20 + "id", "ïd"])
def test_what_is_no_list_is_refused(value: str) -> None:
    with pytest.raises(SipError) as refused:
        asked(value)
    assert refused.value.status == 400


@given(st.lists(st.text(max_size=40), max_size=5))
def test_whatever_comes_is_read_or_refused(values: list[str]) -> None:
    with suppress(SipError):
        assert len(asked(*(value.replace("\r", "").replace("\n", "") for value in values)).values) <= 16


def test_several_headers_and_commas_are_one_list() -> None:
    assert asked("id", "critical").values == asked("id,critical").values == {"id", "critical"}


@pytest.mark.parametrize(
    ("uri", "nobody"),
    [
        ("sip:anonymous@anonymous.invalid", True),
        ("sip:Anonymous@mesh", True),
        ("sip:anonymous@abcdefghijklmnopqrstuvwxyz234567.mesh", True),
        ("sip:x@Anonymous.Invalid", True),
        ("sip:alice@mesh", False),
        ("sip:anonymously@mesh", False),
        ("tel:anonymous", False),
    ],
)
def test_nobody_is_known_by_the_address(uri: str, nobody: bool) -> None:
    assert is_anonymous(Uri.parse(uri)) is nobody
